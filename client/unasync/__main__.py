"""Write `bulklane/_sync` from `bulklane/_async`: `python client/unasync`, or with --check only compare."""

import io
import subprocess
import sys
import tokenize
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "bulklane"
BY_HAND = {"io.py"}  # what differs is written twice
DROPPED = {"async", "await"}
NAMES = {
    "_async": "_sync",
    "AsyncClient": "Client",
    "AsyncIterator": "Iterator",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "StopAsyncIteration": "StopIteration",
    "aclose": "close",
    "aiter_bytes": "iter_bytes",
    "anext": "next",
    "aread": "read",
    "asynccontextmanager": "contextmanager",
}
DOCSTRINGS = {
    "The asynchronous client. The synchronous one is made of it: see `client/unasync`.": (
        "The synchronous client, made of the asynchronous one: change that, then run `./run client`."
    )
}


def main() -> None:
    """Write or compare all modules. Exits with status 1 if --check finds a difference."""
    check = "--check" in sys.argv[1:]
    stale = []
    for source in sorted((PACKAGE / "_async").glob("*.py")):
        target = PACKAGE / "_sync" / source.name
        if source.name in BY_HAND:
            continue
        text = formatted(converted(source.read_text()), target)
        if check and target.read_text() != text:
            stale.append(target.name)
        elif not check:
            target.write_text(text)
    if stale:
        sys.exit(f"these are not what bulklane/_async makes, run ./run client: {', '.join(stale)}")


def converted(text: str) -> str:
    """Return the synchronous form of a module."""
    result, line, column = [], 1, 0
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    lines = text.splitlines(keepends=True)
    skip_space = False
    for token in tokens:
        (start_line, start_column), (end_line, end_column) = token.start, token.end
        between = _between(lines, (line, column), (start_line, start_column))
        result.append(between.lstrip(" ") if skip_space else between)
        skip_space = token.type == tokenize.NAME and token.string in DROPPED
        if not skip_space:
            result.append(_replaced(token))
        line, column = end_line, end_column
    return "".join(result)


def formatted(text: str, target: Path) -> str:
    """Return the text as ruff formats it, with sorted imports: names became shorter."""
    for words in (("check", "--select", "I", "--fix", "--quiet"), ("format",)):
        command = [sys.executable, "-m", "ruff", *words, "--stdin-filename", str(target), "-"]
        text = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    return text


def _replaced(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.NAME:
        return _name(token.string)
    if token.type == tokenize.STRING:
        quoted = token.string.strip('"')
        if quoted in DOCSTRINGS:
            return token.string.replace(quoted, DOCSTRINGS[quoted])
        return _name(quoted).join(token.string.split(quoted)) if quoted.isidentifier() else token.string
    return token.string


def _name(name: str) -> str:
    if name in NAMES:
        return NAMES[name]
    return name.removeprefix("Async") if name.startswith("Async") and name != "Async" else name


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """Return the text between two tokens: spaces, and the ends of lines that a backslash continues."""
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]] if start[0] <= len(lines) else ""
    first = lines[start[0] - 1][start[1] :] if start[0] <= len(lines) else ""
    rest = lines[start[0] : end[0] - 1]
    last = lines[end[0] - 1][: end[1]] if end[0] <= len(lines) else ""
    return "".join([first, *rest, last])


if __name__ == "__main__":
    main()
