"""Generate phone numbers of every region and type, and get the verdict of `phonenumbers` on a number."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from random import Random

import phonenumbers
from phonenumbers.phonemetadata import PhoneMetadata

from bench.phone_sampler import Sample, sampler
from schemas.items.phone_notation import PhoneFault, read_notation

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
TYPES = (
    "general_desc",
    "fixed_line",
    "mobile",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
    "no_international_dialling",
)
_SEPARATORS = (" ", "-", ".", "(", ") ", "/", "  ", "\u00a0")  # four of them: fewer than phone.py's gap of 9
_FRACTIONS = (".0", ".0", ".00", ",0", ".000", ".000000", ".5", ".25", ".", ".0 ")
_ENDS = ("", "", " ", " x12", ";ext=7", " ext. 123", "#", ",", "\n", "a", " / 5551234")
_STARTS = ("00", "011", "+00", "++", "tel:+", "\uff0b", "+ ", "", " +", "(+")
_SCRIPTS = ("0123456789", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19", "٠١٢٣٤٥٦٧٨٩")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One type of number of one region. `region` is None for calling codes without a country."""

    code: int
    region: str | None
    number: Sample
    prefixes: tuple[Sample, ...] = field(repr=False)


def authority(text: str, region: str | None) -> str | None:
    """Return the E.164 text of a number that `phonenumbers` finds valid, otherwise None."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def verdict(text: str, region: str | None) -> str | None:
    """Return the verdict of `phonenumbers` on the number that a text without letters stands for."""
    written = read_notation(text.strip())
    if isinstance(written, PhoneFault) or (written.rival and authority(written.rival, region)):
        return None
    return authority(written.text, region)


def plans() -> list[Plan]:
    """Return a plan for every type of number of every region and calling code, in a fixed order."""
    found = []
    for code, regions in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items()):
        for region in regions:
            metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
            assert metadata is not None
            prefixes = tuple(map(sampler, _prefixes(metadata)))
            for pattern in _numbers(metadata):
                found.append(
                    Plan(
                        code=code,
                        region=None if region == "001" else region,
                        number=sampler(pattern),
                        prefixes=prefixes,
                    )
                )
    return found


def trials(seed: int, count: int) -> Iterator[tuple[str, str | None]]:
    """Yield texts with their default regions. Each plan occurs equally often."""
    rng = Random(seed)
    order = plans()
    rng.shuffle(order)
    for _, plan in zip(range(count), cycle(order), strict=False):
        digits = rng.choice(_CHANGES)(rng, plan, plan.number(rng))
        text = rng.choice(_WRITINGS)(rng, plan, digits)
        yield text, rng.choice((None, plan.region, plan.region, rng.choice(REGIONS)))


def _numbers(metadata: PhoneMetadata) -> Iterator[str]:
    for name in TYPES:
        desc = getattr(metadata, name)
        if desc is not None and desc.national_number_pattern:
            yield desc.national_number_pattern
    if metadata.leading_digits:
        yield rf"(?:{metadata.leading_digits})\d{{5,8}}"


def _prefixes(metadata: PhoneMetadata) -> Iterator[str]:
    yield "0{1,2}"
    yield str(metadata.country_code)
    if metadata.national_prefix_for_parsing:
        yield metadata.national_prefix_for_parsing
    if metadata.international_prefix:
        yield metadata.international_prefix


def _same(_rng: Random, _plan: Plan, digits: str) -> str:
    return digits


def _replace_one(rng: Random, _plan: Plan, digits: str) -> str:
    at = rng.randrange(len(digits))
    return digits[:at] + rng.choice("0123456789") + digits[at + 1 :]


def _drop_one(rng: Random, _plan: Plan, digits: str) -> str:
    at = rng.randrange(len(digits))
    return digits[:at] + digits[at + 1 :]


def _add_one(rng: Random, _plan: Plan, digits: str) -> str:
    at = rng.randint(0, len(digits))
    return digits[:at] + rng.choice("0123456789") + digits[at:]


def _add_prefix(rng: Random, plan: Plan, digits: str) -> str:
    return rng.choice(plan.prefixes)(rng) + digits


def _start_with_prefix(rng: Random, plan: Plan, digits: str) -> str:
    return (rng.choice(plan.prefixes)(rng) + digits)[: len(digits)]


def _cut(rng: Random, _plan: Plan, digits: str) -> str:
    return digits[: rng.randint(0, len(digits))]


def _any(rng: Random, _plan: Plan, _digits: str) -> str:
    return "".join(rng.choices("0123456789", k=rng.randint(1, 18)))


def _plain(_rng: Random, plan: Plan, digits: str) -> str:
    return f"+{plan.code}{digits}"


def _national(_rng: Random, _plan: Plan, digits: str) -> str:
    return digits


def _prefixed_national(rng: Random, plan: Plan, digits: str) -> str:
    return rng.choice(plan.prefixes)(rng) + digits


def _spaced(rng: Random, plan: Plan, digits: str) -> str:
    text = digits if rng.random() < 0.4 else f"+{plan.code}{digits}"
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(text))
        text = text[:at] + rng.choice(_SEPARATORS) + text[at:]
    return text


def _abroad(rng: Random, plan: Plan, digits: str) -> str:
    return rng.choice(_STARTS) + f"{plan.code}{digits}"


def _bracketed(rng: Random, plan: Plan, digits: str) -> str:
    return f"+{plan.code} ({rng.choice(plan.prefixes)(rng)}) {digits}"


def _ended(rng: Random, plan: Plan, digits: str) -> str:
    return f"+{plan.code}{digits}" + rng.choice(_ENDS)


def _decimal(rng: Random, plan: Plan, digits: str) -> str:
    return rng.choice(("", "", f"+{plan.code}", f"{plan.code}", "+")) + digits + rng.choice(_FRACTIONS)


def _other_script(rng: Random, plan: Plan, digits: str) -> str:
    table = str.maketrans("0123456789", rng.choice(_SCRIPTS))
    at = rng.randint(0, len(digits))
    return rng.choice((f"+{plan.code}", "")) + digits[:at] + digits[at:].translate(table)


Step = Callable[[Random, Plan, str], str]
_CHANGES: tuple[Step, ...] = (
    *(_same,) * 6,
    _replace_one,
    _replace_one,
    _drop_one,
    _add_one,
    _add_prefix,
    _add_prefix,
    _start_with_prefix,
    _start_with_prefix,
    _cut,
    _any,
)
_WRITINGS: tuple[Step, ...] = (
    *(_plain,) * 8,
    *(_national,) * 4,
    _prefixed_national,
    *(_spaced,) * 4,
    _abroad,
    _bracketed,
    _ended,
    _decimal,
    _other_script,
)
