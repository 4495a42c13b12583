"""Find, run and check the code blocks of README and docs.

    ```sh       runs in bash; the blocks of one page share one shell, in order
    ```python   runs in Python, called by the same shell
    ```text     the output of the block before it. `…` matches any text in a line; alone, any lines
    ```json     must parse
    ```yaml     must parse
    ```http     a request, a response or headers; a JSON body must parse
    ```js       runs in Node.js, if it is installed
    ```go       runs with `go run`, if it is installed
    ```mermaid  not checked

`<!-- not run: REASON -->` on the line before a fence keeps a block from running; JavaScript must parse even
then. `<!-- file: examples/… -->` says that the block is this file, which has a test of its own.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml  # type: ignore[import-untyped] # of schemathesis, without stubs

REPOSITORY = Path(__file__).parents[2]
PAGES = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md")))
RUN = {
    "sh": "{text}",
    "python": "python3 - <<'END OF BLOCK'\n{text}END OF BLOCK\n",
    "js": "node --input-type=module - <<'END OF BLOCK'\n{text}END OF BLOCK\n",
    "go": 'cat > "$HOME/main.go" <<\'END OF BLOCK\'\n{text}END OF BLOCK\ngo run "$HOME/main.go"\n',
}
PROGRAMS = {"js": "node", "go": "go"}  # the others are always there
KINDS = {*RUN, "text", "json", "yaml", "http", "mermaid"}
FENCE = re.compile(r"^( *)```(.*)$")
NOT_RUN = re.compile(r"^ *<!-- not run: .+ -->$")
FILE = re.compile(r"^ *<!-- file: (\S+) -->$")
HTTP_START = re.compile(r"(HTTP/1\.1 \d{3}|(GET|POST|PATCH|PUT|DELETE) /\S+)")
HTTP_HEADER = re.compile(r"[A-Za-z-]+: .+")
MARK = "\x1e"  # separates the outputs of two blocks; no command prints it
PAGE_SECONDS = 100


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block; `line` is the line number of its opening fence."""

    page: Path
    line: int
    kind: str
    text: str
    runs: bool
    file: str | None  # the file in the repository that the block is

    @property
    def place(self) -> str:
        """The position of the block, for a message."""
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    lines = page.read_text().splitlines()
    at = 0
    while at < len(lines):
        fence = FENCE.match(lines[at])
        if fence:
            end = at + 1
            while lines[end].strip() != "```":
                end += 1
            mark = lines[at - 1] if at else ""
            file = FILE.match(mark)
            runs = not (file or NOT_RUN.match(mark))
            text = "".join(f"{line.removeprefix(fence[1])}\n" for line in lines[at + 1 : end])
            yield Block(
                page=page, line=at + 1, kind=fence[2].strip(), text=text, runs=runs, file=file and file[1]
            )
            at = end
        at += 1


def examples(page: Path) -> list[tuple[Block, Block | None]]:
    """Return the blocks of a page that run, each with the block that shows its output."""
    found = list(blocks(page))
    following: list[Block | None] = [*found[1:], None]
    return [
        (block, after if after and after.kind == "text" else None)
        for block, after in zip(found, following, strict=False)
        if block.kind in RUN and block.runs and _is_installed(block.kind)
    ]


def run(scripts: list[Block], environment: dict[str, str]) -> list[str]:
    """Run the blocks of a page in one shell, in the repository; return the output of each.

    Raises AssertionError with the position of the block if a command fails.
    """
    lines = ["set -eu -o pipefail"]
    for script in scripts:
        lines += [_shell(script), f"printf '{MARK}'"]
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PAGE_SECONDS,
        check=False,
    )
    outputs = done.stdout.split(MARK)
    if done.returncode:
        raise AssertionError(
            f"{scripts[len(outputs) - 1].place}: a command ended with {done.returncode}:\n"
            f"{outputs[-1]}{done.stderr}"
        )
    return outputs[:-1]


def _shell(script: Block) -> str:
    """Return the commands that run a block."""
    return RUN[script.kind].replace("{text}", script.text)


def _is_installed(kind: str) -> bool:
    return kind not in PROGRAMS or shutil.which(PROGRAMS[kind]) is not None


def matches(output: str, expected: str) -> bool:
    """Return whether the output matches a text block."""
    pattern = "".join(_pattern(line) for line in expected.splitlines())
    return re.fullmatch(pattern, output if output.endswith("\n") else f"{output}\n") is not None


def check_json(block: Block) -> None:
    """Raise ValueError if the block is not JSON."""
    json.loads(block.text)


def check_yaml(block: Block) -> None:
    """Raise YAMLError if the block is not YAML."""
    yaml.safe_load(block.text)


def check_http(block: Block) -> None:
    """Raise ValueError if the block is no request, response or headers, or if its JSON does not parse."""
    head, _, body = block.text.partition("\n\n")
    first, *rest = head.splitlines()
    headers = rest if HTTP_START.match(first) else [first, *rest]
    wrong = [line for line in headers if not HTTP_HEADER.match(line)]
    if wrong:
        raise ValueError(f"{block.place}: neither a request nor a status nor a header: {wrong[0]}")
    kinds = [line for line in headers if line.lower().startswith("content-type:")]
    if body and (not kinds or "json" in kinds[0]):
        json.loads(body)


def check_js(block: Block) -> None:
    """Raise CalledProcessError if the block is not JavaScript."""
    subprocess.run(["node", "--input-type=module", "--eval", f"() => {{ {block.text} }}"], check=True)


def _pattern(line: str) -> str:
    if line.strip() == "…":
        return "(?:.*\n)*"
    return ".*".join(re.escape(part) for part in line.split("…")) + "\n"
