"""Texts that a program wrote in place of a value: `nan` for no value, `1.2E+11` for a long number.

They are refused, because many contacts would share them: two contacts with the external id `nan`, or with ids
that a spreadsheet rounded to `1.23457E+11`, would silently become one.
"""

import re
from typing import Final

from pydantic_core import PydanticCustomError

from schemas.item_errors import ItemCode

_NONE: Final = ("nan", "NaN", "NAN", "NaT", "<NA>", "None", "null", "NULL", "undefined", "N/A", "n/a", "\\N")
_EXCEL_ERRORS: Final = ("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!")
NO_VALUES: Final = frozenset(_NONE + _EXCEL_ERRORS)  # not `NA`, which may be Namibia
_FOLDED: Final = frozenset(map(str.casefold, NO_VALUES))
_EXPONENT: Final = re.compile(r"\d([.,]\d+)?[eE]\+\d{2,3}", re.ASCII)
DECIMAL: Final = re.compile(r"\d+[.,]0+", re.ASCII)

NO_VALUE: Final = "says {}, which stands for no value: leave the field out or the cell empty"
ALTERED: Final = "is a number that a spreadsheet or a program changed to {}: export the column as text"


def check_id(given: object) -> object:
    """Check an external id, or an id that may be one. Raises PydanticCustomError; other types pass."""
    if isinstance(given, str):
        if given.casefold() in _FOLDED:
            raise PydanticCustomError(ItemCode.NOT_A_VALUE, NO_VALUE.format("{text}"), {"text": given})
        if _EXPONENT.fullmatch(given):
            raise PydanticCustomError(ItemCode.ALTERED_NUMBER, ALTERED.format("{text}"), {"text": given})
    return given
