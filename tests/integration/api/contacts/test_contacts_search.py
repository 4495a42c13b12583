"""GET /v1/contacts?search=…: what a search finds in names and phones."""

from typing import Any

import aiohttp
import pytest

from storage.context import Context
from tests.integration.api.contact_calls import create, list_contacts
from tests.integration.api.service import Client, make_client


def names(page: Any) -> list[str | None]:
    return [contact["name"] for contact in page["data"]]


PEOPLE = ["Priya Sharma", "100% Wool", "snake_case", "back\\slash", "Ärger mit Straße", "मुंबई", "Emoji 🙂"]
SEARCHES = [
    ("priya", ["Priya Sharma"]),
    ("YA SH", ["Priya Sharma"]),
    ("  sharma ", ["Priya Sharma"]),
    ("%", ["100% Wool"]),
    ("_", ["snake_case"]),
    ("\\", ["back\\slash"]),
    ("0%", ["100% Wool"]),
    ("%%", []),
    ("e_c", ["snake_case"]),
    ("ÄRGER", ["Ärger mit Straße"]),
    ("मुंबई", ["मुंबई"]),
    ("🙂", ["Emoji 🙂"]),
    ("'; --", []),
    ("nobody", []),
]


@pytest.mark.parametrize(("text", "expected"), SEARCHES)
async def test_a_search_finds_a_part_of_the_name(client: Client, text: str, expected: list[str]) -> None:
    for number, name in enumerate(PEOPLE):
        await create(client, number, name=name)
    assert names(await list_contacts(client, search=text)) == expected


PHONES = [
    ("+14155552671", ["US"]),
    ("415-555-2671", ["US"]),
    ("(415) 555 2671", ["US"]),
    ("5552671", ["US"]),
    ("555 26", ["US"]),
    ("+1415", ["US"]),
    ("+91", ["IN"]),
    ("+555", []),
    ("0091 98765 43210", ["IN"]),
    ("٩٨٧٦٥", ["IN"]),
    ("98765\u00a043210", ["IN"]),
    ("98765\u2011432", ["IN"]),
    ("1", ["IN", "US"]),
    ("-", []),
    ("7654x", []),
]


@pytest.mark.parametrize(("text", "expected"), PHONES)
async def test_a_search_finds_a_phone_as_people_write_it(
    ctx: Context, session: aiohttp.ClientSession, text: str, expected: list[str]
) -> None:
    client = await make_client(ctx, session, region="GB")
    await create(client, name="US", phoneNumber="+14155552671")
    await create(client, name="IN", phoneNumber="+919876543210")
    assert names(await list_contacts(client, search=text)) == expected


async def test_a_national_number_is_found_as_it_is_dialled(
    ctx: Context, session: aiohttp.ClientSession
) -> None:
    client = await make_client(ctx, session, region="IN")
    await create(client, name="IN", phoneNumber="098765 43210")
    assert names(await list_contacts(client, search="098765-43210")) == ["IN"]


async def test_digits_are_searched_in_names_too(client: Client) -> None:
    await create(client, 1, name="Agent 007")
    assert names(await list_contacts(client, search="007")) == ["Agent 007"]


async def test_search_results_are_paged_newest_first(client: Client) -> None:
    for number in range(7):
        await create(client, number, name=f"{'even' if number % 2 == 0 else 'odd'} {number}")
    page = await list_contacts(client, search="EVEN", limit=3, page=2)
    assert (names(page), page["total"], page["totalPages"]) == (["even 0"], 4, 2)
    beyond = await list_contacts(client, search="even", page=9)
    assert (beyond["data"], beyond["total"]) == ([], 4)


async def test_a_blank_search_lists_all_contacts(client: Client) -> None:
    await create(client)
    assert (await list_contacts(client, search=" "))["total"] == 1
