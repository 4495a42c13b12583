"""Whether an item has a trace of a contact: however it is written, and not of a contact that is alike."""

import json
from typing import Any

import pytest

from schemas.ids import show_id
from storage.deletion.identifiers import Identifiers

PHONE = "+14152000017"
AUSTRIAN, LONGER = "+43512123456", "+435121234567"
FAROESE = "+298211234"
EMAIL = "ana.lima@example.com"
KNOWN = Identifiers(
    contact_id=7,
    phones=frozenset({PHONE, AUSTRIAN, FAROESE}),
    external_ids=frozenset({"crm/4711", 'a"b'}),
    emails=frozenset({EMAIL}),
)

OURS = [
    ({"phone": "(415) 200-0017"}, "US"),
    ({"phone": "(415) 200-0017"}, None),  # it fails: no country code
    ({"phone": "(415) 200-0017 ext. 5"}, "US"),  # it fails: an extension
    ({"phone": "٤١٥٢٠٠٠٠١٧"}, "US"),
    ({"phone": "\uff14\uff11\uff15\uff12\uff10\uff10\uff10\uff10\uff11\uff17"}, "US"),
    ({"phone": "21 12 34"}, "FO"),
    ({"Mobile": "21 12 34"}, "FO"),
    ({"phone": 14152000017}, None),
    ({"note": "call 0043 512 123456 today"}, "AT"),
    ({"note": "call +43 (0)512 / 123 456, today"}, None),
    ({"metadata": {PHONE: "mother"}}, None),
    ({"metadata": {"of": {EMAIL.upper(): True}}}, None),
    ({"note": f"see <{EMAIL}>, or call"}, None),
    ({"note": f"mailto:{EMAIL}."}, None),
    ({"externalId": "crm/4711"}, None),
    ({"contact_id": show_id("ctc", 7)}, None),
    ("(415) 200-0017", "US"),
    ('{"phone": "(415) 200-0017", "name": "Li', "US"),
    ('{"phone": "(415) 200-0017", "name": "Li', None),
]
OTHERS = [
    ({"phone": LONGER}, None),
    ({"phone": "0512 1234567"}, "AT"),
    ({"note": f"call {LONGER} today"}, None),
    ({"order": "914152000017"}, None),
    ({"email": f"jo{EMAIL}"}, None),
    ({"email": f"{EMAIL}.br"}, None),
    ({"email": f"di.{EMAIL}"}, None),
    ({"phone": "(415) 200-0018", "external_id": "crm/47110"}, "US"),
    ({"metadata": {"crm/4711": 1}}, None),
    ({"phone": "11234"}, "FO"),
]


@pytest.mark.parametrize(("item", "region"), OURS)
def test_an_item_that_names_the_contact_is_a_trace(item: Any, region: str | None) -> None:
    assert KNOWN.finder(region)(item)


@pytest.mark.parametrize(("item", "region"), OTHERS)
def test_an_item_of_a_contact_that_is_alike_is_none(item: Any, region: str | None) -> None:
    assert not KNOWN.finder(region)(item)


@pytest.mark.parametrize(("item", "region"), OURS)
@pytest.mark.parametrize("escaped", [False, True])
def test_the_quick_look_misses_no_trace_by_a_phone_external_id_or_email(
    item: Any, region: str | None, escaped: bool
) -> None:
    if "contact_id" not in item:  # the results of the job know these
        assert KNOWN.may_be_in(json.dumps(item, ensure_ascii=escaped).encode()), region


@pytest.mark.parametrize("body", [rb'{"externalId": "crm\/4711"}', b'x,"a""b",1', b'{"id": "a\\"b"}'])
def test_the_quick_look_reads_escapes_and_doubled_quotes(body: bytes) -> None:
    assert KNOWN.may_be_in(body)


def test_the_quick_look_passes_over_what_has_no_trace() -> None:
    assert not KNOWN.may_be_in(b'{"phone": "+12125550100", "name": "Bo", "note": "\xc3\xa9"}')


def test_a_phone_of_no_known_country_is_found_and_what_stands_for_a_phone_is_none() -> None:
    known = Identifiers.of(7, [("phone", "~17"), ("phone", "+99912345678")])
    has_trace = known.finder("US")
    assert has_trace({"phone": "+999 1234 5678"})
    assert not has_trace({"phone": "17", "note": "~17"})
    assert known.may_be_in(b"+999 1234 5678")
