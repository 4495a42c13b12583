"""The list of guards is up to date: `./run chaos --mutate` can remove each of them."""

import re
from pathlib import Path

import pytest

from tests.faults.chaos.guards import MUTATIONS
from tests.faults.chaos.guards.mutation import Mutation

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "reliability.md"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.guard)
def test_a_guard_is_found_and_its_tests_exist(mutation: Mutation) -> None:
    assert (REPOSITORY / mutation.file).read_text().count(mutation.text) == mutation.times
    assert all((REPOSITORY / test).exists() for test in mutation.tests)


def test_the_page_on_reliability_names_tests_that_exist() -> None:
    existing = {path.name for path in (REPOSITORY / "tests").rglob("test_*.py")}
    page = PAGE.read_text()
    assert not set(re.findall(r"test_\w+\.py", page)) - existing
    assert all((REPOSITORY / path).exists() for path in re.findall(r"`(tests/[\w/.]+)`", page))
