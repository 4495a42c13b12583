"""What a search text looks for: LIKE patterns of names and phones."""

import unicodedata

PUNCTUATION = frozenset("+-().,/·")  # in phone numbers as people write them, besides spaces and dashes


def name_pattern(text: str) -> str:
    """A LIKE pattern of the names that contain the text, whatever characters it has."""
    for character in ("\\", "%", "_"):
        text = text.replace(character, "\\" + character)
    return f"%{text}%"


def phone_pattern(text: str) -> str | None:
    """A LIKE pattern of the phones that contain the digits, or begin with them; None: it is no such text."""
    digits = ""
    for character in text:
        if (digit := unicodedata.decimal(character, None)) is not None:
            digits += str(digit)
        elif character not in PUNCTUATION and unicodedata.category(character) not in ("Zs", "Pd"):
            return None
    if not digits:
        return None
    return f"+{digits}%" if text.startswith("+") else f"%{digits}%"
