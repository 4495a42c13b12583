"""The names of clients' files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.formats.file_name import MAX_FILE_NAME, base_name, file_name_in


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (None, None),
        ("", None),
        ("attachment", None),
        ('attachment; filename=""', None),
        ("attachment; filename=contacts.csv", "contacts.csv"),
        ('attachment; filename="my contacts; new.csv"', "my contacts; new.csv"),
        ('attachment; filename="a \\"b\\".csv"', 'a "b".csv'),
        ("attachment; filename*=UTF-8''na%C3%AFve%20list.csv", "naïve list.csv"),
        ('attachment; filename="é.csv"', "é.csv"),
        ('attachment; filename="/etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\fakepath\\\\x.csv"', "x.csv"),
        ('attachment; filename="../../"', None),
        ("attachment; filename*=nonsense''x.csv", "x.csv"),
        ("attachment; filename*=''", None),
    ],
)
def test_the_header_names_a_file(header: str | None, name: str | None) -> None:
    assert file_name_in(header) == name


def test_a_name_is_short_and_has_no_control_character() -> None:
    assert base_name("a\0b\tc\n.csv") == "abc.csv"
    assert base_name("x" * 1000) == "x" * MAX_FILE_NAME


@given(st.text() | st.text(alphabet="attachment;filename*=\"\\'% /UTF-8\udc80", max_size=60))
def test_any_header_is_read_as_a_storable_name(header: str) -> None:
    name = file_name_in(f"attachment; filename={header}")
    if name is not None:
        assert name.encode()
        assert "\0" not in name
    assert file_name_in(header) is None or isinstance(file_name_in(header), str)
