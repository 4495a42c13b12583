"""References name a contact by exactly one of id, phone and external id."""

from typing import Any

import pytest

from schemas.ids import show_id
from schemas.operations import Operation
from schemas.states import Outcome
from storage.context import Context
from storage.pipeline import results as stored_results
from tests.factories import make_account, make_contacts, make_label, phone
from tests.integration.worker.job_runs import members_of, run, run_job, words_of

SET = Operation.PREFERENCES_SET
ADD = Operation.AUDIENCES_ADD


async def test_all_notations_of_a_reference_are_accepted(ctx: Context) -> None:
    account = await make_account(ctx)
    label_id = await make_label(ctx, account.id)
    ids = await make_contacts(ctx, account.id, range(6))
    (seventh,) = await make_contacts(ctx, account.id, [7], external_id="e7")
    items: list[Any] = [
        ids[0],
        str(ids[1]),
        show_id("ctc", ids[2]),
        {"contact_id": ids[3]},
        {"phone_number": "(415) 200-0004"},
        {"contactId": show_id("ctc", ids[5]).lower().replace("ctc_", "ctc_", 1)},
        {"externalId": "e7", "ref": "mine"},
    ]
    results = await run(ctx, account.id, Operation.LABELS_ATTACH, items, label_id=label_id)
    assert words_of(results) == ["updated"] * 7
    assert [result.contact_id for result in results] == [*ids, seventh]
    assert await members_of(ctx, "label", label_id) == {*ids, seventh}


async def test_an_id_that_is_no_contact_id_is_an_external_id(ctx: Context) -> None:
    account = await make_account(ctx)
    label_id = await make_label(ctx, account.id)
    (brought,) = await make_contacts(ctx, account.id, [1], external_id="clxxx123")
    await make_contacts(ctx, account.id, [2], external_id="77")
    ulid = "ctc_01HXYZABCDEFGHJKMNPQRSTVWX"  # too large for a contact id
    (third,) = await make_contacts(ctx, account.id, [3], external_id=ulid)
    items = ["clxxx123", {"id": "clxxx123"}, "77", ulid, "a\0b"]
    results = await run(ctx, account.id, Operation.LABELS_ATTACH, items, label_id=label_id)
    skipped = ("skipped", "skipped_cross_org")
    assert words_of(results) == ["merged", "updated", skipped, "updated", skipped]
    assert await members_of(ctx, "label", label_id) == {brought, third}


async def test_a_plain_string_is_a_phone_number_where_phones_are_expected(ctx: Context) -> None:
    account = await make_account(ctx)
    await make_contacts(ctx, account.id, range(2))
    results = await run(ctx, account.id, SET, ["415 200 0000", phone(1)], preference="mute_all")
    assert words_of(results) == ["updated"] * 2


async def test_columns_of_a_file_are_references(ctx: Context) -> None:
    account = await make_account(ctx)
    ids = await make_contacts(ctx, account.id, range(3), nickname="x")
    rows = [f"{ids[0]},".encode(), b",4152000001", f"{ids[2]},4152000002".encode(), b","]
    results = await run(ctx, account.id, SET, rows, columns=("id", "phone"), preference="mute_all")
    assert words_of(results) == [
        "updated",
        "updated",
        ("failed", "ambiguous_reference"),
        ("failed", "missing_field"),
    ]


BAD = [
    ({"id": 1, "phone": "4152000001"}, "ambiguous_reference"),
    ({"phone": "4152000001", "external_id": "e"}, "ambiguous_reference"),
    ({}, "missing_field"),
    ({"id": None, "phone": None}, "missing_field"),
    ({"ref": "mine"}, "missing_field"),
    ({"phone": "12"}, "phone_too_short"),
    ({"phone": ""}, "phone_not_a_number"),
    ({"phone": 415200.5}, "phone_digits_lost"),
    ({"phone": True}, "wrong_type"),
    ({"id": True}, "wrong_type"),
    ({"id": 1.5}, "wrong_type"),
    ({"name": "Ana"}, "unknown_field"),
    ({"external_id": "a\0b"}, "invalid_character"),
    (None, "not_an_object"),
    ([1], "not_an_object"),
    (b"{", "invalid_json"),
]
UNKNOWN = [
    {"id": 2**63},
    {"id": 0},
    {"id": -1},
    {"id": "no id at all"},
    {"id": "lbl_00000000000000000000000001"},
    {"id": ""},
    {"id": 10**30},
    {"id": 999_999},
    {"phone": "+14152009999"},
    {"external_id": "nobody"},
    {"external_id": ""},
]


async def test_invalid_references_fail_alone(ctx: Context) -> None:
    account = await make_account(ctx)
    ids = await make_contacts(ctx, account.id, range(2))
    items = [{"id": ids[0]}, *(item for item, _ in BAD), *UNKNOWN, {"id": ids[1]}]
    job_id, results = await run_job(ctx, account.id, SET, items, preference="mute_all")
    assert words_of(results) == [
        "updated",
        *(("failed", code) for _, code in BAD),
        *[("failed", "contact_not_found")] * len(UNKNOWN),
        "updated",
    ]
    errors, _ = await stored_results.errors(ctx.pool, account.id, job_id, -1, 100)
    assert all(error.message for error in errors)
    unknown = [error for error in errors if error.code == "contact_not_found"]
    assert [{error.field: error.value} for error in unknown] == UNKNOWN


async def test_different_references_to_one_contact_are_merged_into_the_last(
    ctx: Context,
) -> None:
    account = await make_account(ctx)
    (one,) = await make_contacts(ctx, account.id, [1], external_id="e1")
    (other,) = await make_contacts(ctx, account.id, [2])
    items = [{"id": one}, {"phone": phone(1)}, {"id": other}, {"external_id": "e1"}, {"id": "nobody"}]
    results = await run(ctx, account.id, SET, items, preference="mute_all")
    assert words_of(results) == ["merged", "merged", "updated", "updated", ("failed", "contact_not_found")]
    assert [result.merged_into for result in results] == [3, 3, None, None, None]
    assert [result.contact_id for result in results] == [one, one, other, one, None]


@pytest.mark.parametrize("operation", [SET, ADD, Operation.CONTACTS_DELETE])
async def test_a_contact_of_another_account_is_unknown(ctx: Context, operation: Operation) -> None:
    one, other = await make_account(ctx), await make_account(ctx)
    (foreign,) = await make_contacts(ctx, other.id, [1], external_id="e1")
    audience_id = await ctx.pool.fetchval(
        "INSERT INTO audiences (account_id, name) VALUES ($1, 'a') RETURNING id", one.id
    )
    items = [{"id": foreign}, {"phone": phone(1)}, {"external_id": "e1"}]
    results = await run(ctx, one.id, operation, items, preference="mute_all", audience_id=audience_id)
    assert words_of(results) == [("failed", "contact_not_found")] * 3
    row = await ctx.pool.fetchrow("SELECT communication_preference FROM contacts WHERE id = $1", foreign)
    assert row is not None
    assert row[0] is None
    assert {result.outcome for result in results} == {Outcome.FAILED}
