"""The headers of W3C Trace Context are read as its specification says; what is not valid is ignored."""

import pytest

from schemas.trace_context import place_of, read_place

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
VALID = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "00",
        VALID.upper(),
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[1:]}g-{SPAN}-01",
        f"{VALID}\0",
        f"00-{TRACE}-{SPAN}-0\u0661",
    ],
)
def test_a_header_that_is_not_valid_is_ignored(parent: str) -> None:
    assert place_of([parent], []) is None


@pytest.mark.parametrize("text", [None, "", "what a newer release keeps", f"{VALID}/1"])
def test_a_job_without_a_place_that_can_be_read_has_none(text: str | None) -> None:
    assert read_place(text) is None


def test_several_headers_are_ignored() -> None:
    assert place_of([VALID, VALID], []) is None
    assert place_of([], ["vendor=1"]) is None


@pytest.mark.parametrize(
    "parent", [VALID, f" {VALID} ", f"01-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-09-what-ever"]
)
def test_a_valid_header_is_kept_as_one_of_version_00(parent: str) -> None:
    place = place_of([parent], [])
    assert place is not None
    assert place.text == VALID
    assert place.sampled
    assert read_place(place.text) == place


@pytest.mark.parametrize(
    ("states", "kept"),
    [
        (["a=1,b=2"], "a=1,b=2"),
        (["a=1", "", " b=2 "], "a=1,b=2"),
        (["a=" + "x" * 511], ""),
        (["a=\u00e9"], ""),
        (["a=1\0"], ""),
        (["a=1, b@c=2 3,"], "a=1,b@c=2 3"),
        (["a=1,a=2"], ""),
        (["A=1"], ""),
        (["a=1=2"], ""),
        (["no member"], ""),
        (["c4@9=1"], ""),
        ([",".join(f"a{n}=1" for n in range(33))], ""),
    ],
)
def test_the_state_of_other_systems_is_kept_if_it_is_short_and_valid(states: list[str], kept: str) -> None:
    place = place_of([VALID], states)
    assert place is not None
    assert place.state == kept
    assert read_place(place.text) == place
    assert place.headers == {"traceparent": VALID} | ({"tracestate": kept} if kept else {})


def test_a_trace_that_is_not_sampled_is_kept_as_such() -> None:
    place = place_of([f"00-{TRACE}-{SPAN}-00"], [])
    assert place is not None
    assert not place.sampled
    assert place.text.endswith("-00")
