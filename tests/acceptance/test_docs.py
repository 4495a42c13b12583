"""The code blocks of the documentation run, and print the output that the page shows."""

from pathlib import Path

import pytest

from tests.acceptance.doc_pages import (
    KINDS,
    PAGES,
    REPOSITORY,
    Block,
    blocks,
    check_http,
    check_json,
    examples,
    matches,
    run,
)
from tests.acceptance.service import Service, environment

CHECKS = {"json": check_json, "http": check_http}
RUNNABLE = [page for page in PAGES if examples(page)]


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
