"""Read how a phone number is written: is the text one number, and with which digits?

`phonenumbers` drops what it does not know: it reads "030 12B4567" as 030 124567, and "30123456.0" as
301234560. So it is only given texts of digits and separators that stand for exactly one number:

    read_notation("+49 (0) 30 123-45")       # PhoneText("+49 (0) 30 123-45")
    read_notation("4.93012345678E+11")       # PhoneText("493012345678")
    read_notation("1-800-FLOWERS")           # PhoneText("1-800-3569377", letters=7, rival="1-800-")
    read_notation("030 12B4567")             # PhoneFault(code=ItemCode.PHONE_NOT_A_NUMBER, …)
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple
from unicodedata import normalize

from schemas.item_errors import ItemCode

MAX_TEXT: Final = 64  # characters; the longest number has 15 digits, and some punctuation


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneFault:
    """Why a text is not a valid phone number: a permanent code and a message."""

    code: ItemCode
    message: str


class PhoneText(NamedTuple):
    """A number to give to `phonenumbers`.

    `letters`: so many of the digits were letters. `rival` is another number that the text may stand for; if
    it is valid, the text is ambiguous.
    """

    text: str
    letters: int = 0
    rival: str = ""


_SEPARATORS: Final = (
    r" \u00a0\u2000-\u200a\u202f\u3000"  # spaces
    r"\u2010-\u2015\u2212\u30fc\uff0d"  # dashes
    r"./()\[\]\uff0e\uff0f\uff08\uff09\uff3b\uff3d-"
)
_PLUS: Final = "[+\uff0b]"
# Soft hyphen, zero-width characters, marks of the direction of writing, byte-order mark: nobody can see them.
_INVISIBLE: Final = dict.fromkeys(
    [0xAD, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
)
# Spreadsheets write '+4930… or ="+4930…" so that a number stays text. Word processors change the quotes.
_QUOTED: Final = re.compile(
    "=?\"(?P<marked>[^\"]*)\"|['\u2018\u2019](?P<apostrophe>[^'\u2018\u2019]*)['\u2018\u2019]?"
    "|[\u201c-\u201e\u00ab\u00bb\u2039\u203a<](?P<curly>[^\u201c-\u201e\u00ab\u00bb\u2039\u203a<>]*)"
    "[\u201c-\u201e\u00ab\u00bb\u2039\u203a>]"
)
# Only known words may stand before a digit: the 12 in "Room: 12 030 1234567" is no part of the number. Before
# a plus any word may stand, since the number starts there.
_WORDS: Final = (
    "tel|phone|mobile|cell|sms|whatsapp|mob|mobil|mobiltelefon|telefon|telefono|teléfono|telefone|tél|téléphone|"
    "handy|cel|celular|móvil|movil|portable|gsm|电话|電話|手机|手機|携帯|携帯電話|тел|телефон|моб"
)
_LABEL: Final = re.compile(
    rf"(?:{_WORDS})[.: \u00a0\uff1a]+(?={_PLUS}|[\d(])"
    rf"|(?!fax|ext)[^\W\d_]+\.?[ \u00a0]*[:\uff1a][ \u00a0]*(?={_PLUS}\d)",
    re.IGNORECASE,
)
# One of these alone may be a decimal point or start an extension.
_GROUPS: Final = re.compile(rf"{_PLUS}?\d+([~_'\u2019\u00b7\u2022\u30fb])\d+(?:\1\d+)+")
_CONTEXT: Final = r"(?:;phone-context=\+\d{1,15})?"  # RFC 3966

_NUMBER: Final = re.compile(rf"[( \[\uff08]*(?:{_PLUS}+[{_SEPARATORS}]*)?\d[\d{_SEPARATORS}]*{_CONTEXT}")
_LETTERS: Final = re.compile(rf"{_PLUS}?[\d(][\d{_SEPARATORS}]*[A-Za-z][\dA-Za-z{_SEPARATORS}]*")
_KEYPAD: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")
_VANITY_LETTERS: Final = 3  # the fewest letters that `phonenumbers` reads as digits
_EXTENSION: Final = re.compile(
    r"\d\D*(?:(?<![a-z])(?:ext(?:ension|n)?|x|dw|durchwahl|app|apparat|poste|int|anexo|ramal)|[#~]|;ext)"
    r"[.:= ]*\d{1,9}#?",
    re.IGNORECASE,
)
_MANY: Final = re.compile(rf"\d\D*[,;&|\n{_PLUS[1:-1]}]\D*\d")

_DECIMAL: Final = re.compile(rf"({_PLUS}?\d+)[.,](\d+)")
# At least ten digits in groups of three, or as in India of two before the last three. Fewer digits may be
# several numbers. A fraction of zeros may follow.
_THOUSANDS: Final = re.compile(
    rf"({_PLUS}?\d{{1,3}}(?:,\d{{3}}){{3,}}|{_PLUS}?\d{{1,2}}(?:,\d{{2}}){{3,}},\d{{3}})(?:\.0{{1,2}})?"
    rf"|({_PLUS}?\d{{1,3}}(?:\.\d{{3}}){{3,}}),0{{1,2}}"
)
_EXPONENT: Final = re.compile(rf"({_PLUS}?)(\d+)(?:[.,](\d+))?[eE]([+-]?)(\d{{1,4}})")
_DECIMAL_END: Final = re.compile(r"\d{5}[.,\uff0e]\d{1,2}\W*\Z")  # "+49 30123456.0"
_FRACTION: Final = "The number has a decimal fraction; format the column as text and export it again."
_AREA_DIGITS: Final = 6  # the most before the only dot of a phone number: "+49.30123456", "04101.123456"
_CENTS: Final = 2  # digits after the point in a column of amounts
_DATE: Final = re.compile(r"(\d{4})([-./])(\d\d?)\2(\d\d?)|(\d\d?)([-./])(\d\d?)\6(\d{4})")
_CENTURIES: Final = range(1900, 2100)

# Texts of digits, spaces and "+-.()" whose number may be another one: a minus sign, a date, a decimal. The
# fast path leaves them to `read_notation`. The second is for texts with a dot, so that the rest is faster.
DOUBTFUL: Final = re.compile(r"[( ]*[-.)]|\d+([-.])\d\d?\1\d+ *\Z", re.ASCII)
DOUBTFUL_DOT: Final = re.compile(
    r"\A[( ]*\+?\d+\.0*\d{0,2}[ ().-]*\Z|\d{5}\.\d{0,2}[ ().-]*\Z|\d{7}\.", re.ASCII
)


def read_notation(text: str) -> PhoneText | PhoneFault:
    """Return the number that a text of at most MAX_TEXT characters stands for, or why it is not one."""
    text = _unwrap(normalize("NFC", text.translate(_INVISIBLE).strip())).rstrip(" .,;")
    if grouped := _GROUPS.fullmatch(text):
        text = text.replace(grouped[1], "-")
    if found := _THOUSANDS.fullmatch(text):
        return PhoneText(re.sub("[.,]", "", found[1] or found[2]))
    if found := _DECIMAL.fullmatch(text):
        return _whole(text, *found.groups())
    if found := _EXPONENT.fullmatch(text):
        return _shifted(*found.groups(""))
    if _DECIMAL_END.search(text):
        return _digits_lost(_FRACTION)
    if (found := _DATE.fullmatch(text)) and _is_date(*found.groups()):
        return not_a_number("The text is a date; check whether the columns are shifted.")
    if _NUMBER.fullmatch(text):
        before, slash, _ = text.replace("\uff0f", "/").rpartition("/")
        return PhoneText(text, rival=before) if slash else PhoneText(text)
    return _read_letters(text)


def _unwrap(text: str) -> str:
    """Remove the quotes around a text, and a label such as `tel:`."""
    if found := _QUOTED.fullmatch(text):
        text = (found["marked"] or found["apostrophe"] or found["curly"] or "").strip()
    return _LABEL.sub("", text, count=1) if _LABEL.match(text) else text


def _whole(text: str, whole: str, fraction: str) -> PhoneText | PhoneFault:
    """Read digits with one point or comma: a decimal, or a number in dotted notation such as 415.5552671."""
    digits = len(whole.lstrip("+\uff0b"))
    if not fraction.strip("0") and (digits > _AREA_DIGITS or len(fraction) <= _CENTS):
        return PhoneText(whole)
    dotted = "." in text and digits <= _AREA_DIGITS and len(fraction) > _CENTS and fraction.strip("0")
    if dotted:
        return PhoneText(text)
    if "," in text and len(fraction) > _CENTS:
        return ambiguous()
    return _digits_lost(_FRACTION)


def _shifted(plus: str, whole: str, fraction: str, sign: str, exponent: str) -> PhoneText | PhoneFault:
    """Read a number with an exponent: `4.93012345678E+11`. Fewer digits than the exponent were rounded."""
    places = int(exponent)
    exact = sign != "-" and len(fraction) >= places and not fraction[places:].strip("0")
    if not exact or whole.startswith("0"):
        return _digits_lost(
            "A spreadsheet wrote the number with an exponent and its digits are lost; "
            "format the column as text and export it again."
        )
    return PhoneText(plus + whole + fraction[:places])


def _is_date(*parts: str | None) -> bool:
    year, _, *ahead = parts[:4]
    *behind, last_year = parts[4], parts[6], parts[7]
    first, second = (int(part or 0) for part in (ahead if year else behind))
    number = int(year or last_year or 0)
    return number in _CENTURIES and any(
        _is_day(number, month, day) for month, day in ((first, second), (second, first))
    )


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _read_letters(text: str) -> PhoneText | PhoneFault:
    """Read a vanity number, or say what does not belong to a number."""
    if _EXTENSION.search(text):
        return PhoneFault(
            code=ItemCode.PHONE_EXTENSION,
            message="The number has an extension, which cannot be stored; give a number that can be dialled.",
        )
    letters = [letter for letter in text.casefold() if letter.isalpha()]
    masked = len(set(letters)) == 1  # "0800 XXX 1234"
    if _LETTERS.fullmatch(text) and len(letters) >= _VANITY_LETTERS and not masked:
        alone = re.sub("[A-Za-z]", "", text)
        return PhoneText(text.upper().translate(_KEYPAD), letters=len(letters), rival=alone)
    if _MANY.search(text):
        return ambiguous()
    if not text:
        return not_a_number("The phone number is empty; write it like +14155552671.")
    return not_a_number("The text is not a phone number alone; write only the number, like +14155552671.")


def ambiguous() -> PhoneFault:
    """Return the fault of a text that can be read as another number, or as several."""
    return PhoneFault(
        code=ItemCode.PHONE_AMBIGUOUS,
        message="The text can be read as more than one phone number; give one number, like +14155552671.",
    )


def not_a_number(message: str) -> PhoneFault:
    """Return the fault of a text that is not a phone number."""
    return PhoneFault(code=ItemCode.PHONE_NOT_A_NUMBER, message=message)


def _digits_lost(message: str) -> PhoneFault:
    return PhoneFault(code=ItemCode.PHONE_DIGITS_LOST, message=message)
