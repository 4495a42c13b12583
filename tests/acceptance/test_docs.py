"""The code blocks of the documentation run, and print the output that the page shows. So do the examples."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.acceptance.doc_pages import (
    KINDS,
    PAGES,
    REPOSITORY,
    Block,
    blocks,
    check_http,
    check_js,
    check_json,
    check_yaml,
    examples,
    matches,
    run,
)
from tests.acceptance.refusing_proxy import RefusingProxy, refusing
from tests.acceptance.service import Service, environment

CHECKS = {"json": check_json, "yaml": check_yaml, "http": check_http}
RUNNABLE = [page for page in PAGES if examples(page)]
EXAMPLES = REPOSITORY / "examples"
COMMANDS = {
    "curl/send.sh": ("sh", "{program}", "{file}", "{failed}"),
    "python/send.py": ("python", "{program}", "{file}"),
    "javascript/send.mjs": ("node", "{program}", "{file}"),
    "go/send.go": ("go", "run", "{program}", "{file}"),
}
PROGRAM_SECONDS = 100


def name(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_has_a_known_language(page: Path) -> None:
    unknown = [f"{block.place} {block.kind!r}" for block in blocks(page) if block.kind not in KINDS]
    assert not unknown, f"blocks have unknown languages; begin each with one of {sorted(KINDS)}: {unknown}"


@pytest.mark.parametrize(
    "block",
    [block for page in PAGES for block in blocks(page) if block.kind in CHECKS],
    ids=lambda block: block.place,
)
def test_an_example_is_well_formed(block: Block) -> None:
    CHECKS[block.kind](block)


@pytest.mark.slow
@pytest.mark.parametrize("page", RUNNABLE, ids=name)
def test_the_commands_of_a_page_print_the_output_that_it_shows(service: Service, page: Path) -> None:
    pairs = examples(page)
    dev = service.dev
    own = {"URL": dev["url"], "KEY": dev["api_key"], "LANG": "C.UTF-8", "COLUMNS": "200"}

    outputs = run([script for script, _ in pairs], environment(service.home, **own))

    for (script, shown), output in zip(pairs, outputs, strict=True):
        if shown is not None:
            assert matches(output, shown.text), f"{script.place} prints:\n{output}\nnot:\n{shown.text}"


@pytest.mark.parametrize(
    "block",
    [block for page in PAGES for block in blocks(page) if block.file],
    ids=lambda block: block.place,
)
def test_a_block_of_a_file_is_that_file(block: Block) -> None:
    assert block.file is not None
    assert block.text == (REPOSITORY / block.file).read_text(), f"{block.place} is not {block.file}: copy it"


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_javascript_that_does_not_run_parses() -> None:
    for block in (block for page in PAGES for block in blocks(page) if block.kind == "js"):
        if not (block.runs or block.file):
            check_js(block)


def test_every_example_has_a_test_and_is_on_a_page() -> None:
    programs = {f"examples/{name}" for name in COMMANDS}
    found = {str(path.relative_to(REPOSITORY)) for path in EXAMPLES.glob("*/*") if path.is_file()}
    shown = {block.file for page in PAGES for block in blocks(page) if block.file}
    assert programs == found == shown


@pytest.mark.slow
@pytest.mark.parametrize("example", COMMANDS)
async def test_an_example_sends_a_file_once_whatever_happens_to_its_first_attempts(
    service: Service, example: str, tmp_path: Path
) -> None:
    program, *words = COMMANDS[example]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    failed = tmp_path / "failed.csv"
    places = {"program": EXAMPLES / example, "file": EXAMPLES / "contacts.csv", "failed": failed}
    before = (await service.get("/v1/jobs/counts"))["total"]

    async with refusing(service.dev["url"]) as proxy:
        command = [program, *(word.format_map(places) for word in words)]
        output = await _run(command, proxy, service, tmp_path)

    accepted, ended, *errors = output.splitlines()
    assert accepted.startswith("job_")
    assert ended == "completed_with_errors: 8 failed"
    rows = failed.read_text().splitlines()[1:] if failed.exists() else errors
    assert len(rows) == 8
    assert "phone_too_short" in rows[0]
    assert len(proxy.attempts) == 4
    assert len({attempt.idempotency_key for attempt in proxy.attempts}) == 1
    assert proxy.attempts[0].idempotency_key
    assert (await service.get("/v1/jobs/counts"))["total"] == before + 1


async def _run(command: list[str], proxy: RefusingProxy, service: Service, cache: Path) -> str:
    """Run a program against the proxy; return what it prints."""
    own = {"BULKLANE_URL": proxy.url, "BULKLANE_API_KEY": service.dev["api_key"], "GOCACHE": str(cache)}
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment(service.home, **own),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PROGRAM_SECONDS):
        output, problems = await process.communicate()
    assert process.returncode == 0, problems.decode()
    return output.decode()


@pytest.mark.parametrize(
    ("output", "shown", "matching"),
    [
        ("a\n", "a\n", True),
        ("a", "a\n", True),
        ("job_1 done\n", "job_… done\n", True),
        ("a\nb\nc\n", "a\n…\n", True),
        ("a\n", "a\n…\n", True),
        ("a\nb\n", "a\n", False),
        ("a.\n", "ab\n", False),
        ("x\ny\n", "…z\n", False),
    ],
)
def test_an_ellipsis_matches_any_text(output: str, shown: str, matching: bool) -> None:
    assert matches(output, shown) is matching
