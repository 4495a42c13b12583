"""Check items against the account's property definitions and channels: one query each, if it is needed."""

from collections.abc import Sequence

from schemas.formats.content_type import Format
from schemas.item_errors import ItemCode
from schemas.items.contacts import ContactItem
from schemas.items.faults import Fault
from schemas.items.properties import Definitions
from storage.entities import channels, properties
from storage.postgres.pool import Conn
from worker.operations.base import Indexed, JobFacts

Checked = tuple[Sequence[Indexed], dict[int, Fault]]


async def check(conn: Conn, job: JobFacts, items: Sequence[Indexed], fields: set[str]) -> Checked:
    """Check items: those that may be applied, as they are stored, and the faults of the others.

    `fields` are those that any of the items has.
    """
    faults: dict[int, Fault] = {}
    if "properties" in fields and any(item.get("properties") for _, item in items):
        items, faults = await _check_properties(conn, job, items)
    if "default_channel_id" in fields:
        items, unknown = await _check_channels(conn, job, items)
        faults |= unknown
    return items, faults


async def _check_properties(conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Checked:
    definitions = Definitions(await properties.definitions(conn, job.account_id))
    from_text = job.format == Format.CSV
    good: list[Indexed] = []
    faults = {}
    for index, item in items:
        given = item.get("properties")
        checked = definitions.check(given, from_text=from_text) if given else given
        if isinstance(checked, Fault):
            faults[index] = checked
        elif given:
            good.append((index, {**item, "properties": checked}))  # the item may be applied again
        else:
            good.append((index, item))
    return good, faults


async def _check_channels(conn: Conn, job: JobFacts, items: Sequence[Indexed]) -> Checked:
    wanted = {item["default_channel_id"] for _, item in items if item.get("default_channel_id")}
    if not wanted:
        return items, {}
    unknown = wanted.difference(await channels.lock_many_shared(conn, job.account_id, wanted))
    if not unknown:
        return items, {}
    good = [(index, item) for index, item in items if item.get("default_channel_id") not in unknown]
    bad = [(index, item) for index, item in items if item.get("default_channel_id") in unknown]
    return good, {index: _unknown_channel(item) for index, item in bad}


def _unknown_channel(item: ContactItem) -> Fault:
    message = "default_channel_id names no channel of the account: list the channels to find its id"
    return Fault("default_channel_id", ItemCode.UNKNOWN_CHANNEL, message, str(item.get("default_channel_id")))
