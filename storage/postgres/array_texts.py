"""Arrays as text, for parameters of thousands of elements: `:ids::text::bigint[]`, not `:ids::bigint[]`.

asyncpg takes about 0.5 µs to encode an element of a list. To write it as text and to read it in PostgreSQL
takes about 0.1 µs.
"""

from collections.abc import Iterable, Sequence

NUL = "\0"  # no text of PostgreSQL contains it


def array_text(values: Sequence[object]) -> str:
    """Return texts as the text of an array of one dimension. None is a null element.

    Numbers and UUIDs are written as `str` writes them. For many numbers, `number_array` is faster.
    """
    if not values:
        return "{}"
    try:
        joined = NUL.join(values)  # type: ignore[arg-type]
    except TypeError:  # an element is not a text
        return _one_by_one(values)
    if joined.count(NUL) >= len(values):  # in a value: PostgreSQL has to reject it
        return _one_by_one(values)
    return '{"' + _escaped(joined).replace(NUL, '","') + '"}'


def number_array(values: Iterable[int | None]) -> str:
    """Return numbers as the text of an array of one dimension. None is a null element.

    Convert the members of an enum to numbers before.
    """
    return "{" + str(list(values))[1:-1].replace("None", "NULL") + "}"


def _one_by_one(values: Sequence[object]) -> str:
    return (
        "{" + ",".join(["NULL" if value is None else f'"{_escaped(str(value))}"' for value in values]) + "}"
    )


def _escaped(text: str) -> str:
    if '"' in text or "\\" in text:
        return text.replace("\\", "\\\\").replace('"', '\\"')
    return text
