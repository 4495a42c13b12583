"""Contacts with traces in many places: before-images, single changes, failed items, kept rows, a list.

An erasure of one of them needs more than one piece of the images and of the failed items.
"""

from collections.abc import Iterator
from typing import Any

from tests.factories import phone
from tests.faults.harness.client import PatientClient, counts, ndjson

CONTACTS = 10
ERASED = 7  # the number of the contact that a test erases
JOBS = 8  # the first creates the contacts
IMAGES = 3 * (JOBS - 1) + 1  # name, email and metadata by each job after it; the list once
FAILED = 8  # failed items of each contact in each job
SECRETS = (phone(ERASED), f"mail{ERASED}-", f"Name {ERASED} ")  # what only the contact has
PLACES = {"contacts", "before_images", "single_changes", "item_errors", "kept_parts"}
TRACES = IMAGES + 1 + FAILED * JOBS + (FAILED + 1) * JOBS  # with a single change, failed items, kept rows


async def leave_traces(client: PatientClient) -> list[str]:
    """Create the contacts, change them by jobs and requests; return their ids in order."""
    made = await client.call("POST", "/v1/contact-lists", json={"name": "the list"})
    query = f"?unknown_columns=keep&list_id={made.json['id']}"
    for job in range(JOBS):
        ended = await client.ended(await client.submit(ndjson(_items(job)), "lists.add", query))
        assert (counts(ended)["failed"], ended["total"]) == (CONTACTS * FAILED, CONTACTS * (FAILED + 1))
    ids = [await _id_of(client, number) for number in range(CONTACTS)]
    for contact_id in ids:
        changed = await client.call("PATCH", f"/v1/contacts/{contact_id}", json={"name": "Name"})
        assert changed.status == 200, changed
    return ids


async def data_of(client: PatientClient, contact_ids: list[str]) -> list[Any]:
    """Return everything that is stored about the contacts; of lists only the ids: they count members."""
    answers = [await client.call("GET", f"/v1/contacts/{contact_id}/data") for contact_id in contact_ids]
    assert {answer.status for answer in answers} == {200}
    return [answer.json | {"lists": [one["id"] for one in answer.json["lists"]]} for answer in answers]


def _items(job: int) -> Iterator[dict[str, Any]]:
    for number in range(CONTACTS):
        item = {
            "phone": phone(number),
            "email": f"mail{number}-{job}@example.com",
            "note": f"of Name {number} ",
        }
        yield item | {"name": f"Name {number} {job}", "metadata": {"job": job}}
        yield from [item | {"birth_date": "never"}] * FAILED


async def _id_of(client: PatientClient, number: int) -> str:
    found = await client.call("GET", f"/v1/contacts?search={phone(number)[1:]}")
    (contact,) = found.json["data"]
    return str(contact["id"])
