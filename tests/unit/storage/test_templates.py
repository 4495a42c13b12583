"""Placeholders in SQL files are replaced, and nothing else is changed."""

import pytest

from schemas.states import Outcome
from storage.postgres.templates import TemplateError, codes, render


def test_a_placeholder_is_replaced_everywhere() -> None:
    text = "SELECT @contact.columns@ FROM contacts c WHERE (@contact.columns@) IS DISTINCT FROM (@other@)"
    rendered = render(text, {"contact.columns": "c.name, c.age", "other": "1, 2"})
    assert rendered == "SELECT c.name, c.age FROM contacts c WHERE (c.name, c.age) IS DISTINCT FROM (1, 2)"


def test_sql_without_placeholders_is_unchanged() -> None:
    text = "SELECT :name, a @> b, a <@ b, @ -5, a @@ b, '%', '{}'::jsonb ?| c FROM t -- x\n"
    assert render(text, {}) == text


def test_a_value_is_not_searched_for_placeholders() -> None:
    assert render("@a@ @b@", {"a": "@b@", "b": "1"}) == "@b@ 1"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT @columns@", {}),
        ("SELECT @columns@", {"columns": "id", "colums": "id"}),
        ("SELECT 1", {"columns": "id"}),
        ("SELECT @columns FROM t", {}),
        ("SELECT columns@ FROM t", {}),
        ("SELECT @columns@, @columns", {"columns": "id"}),
    ],
)
def test_a_mismatch_is_an_error(text: str, names: dict[str, str]) -> None:
    with pytest.raises(TemplateError):
        render(text, names)


def test_the_stored_number_of_an_outcome_has_a_name() -> None:
    assert render("@outcome.merged@", codes(Outcome.MERGED)) == "4"
