"""Random items, parameters and REST bodies for hypothesis. Few contacts and few values, so that they meet."""

from typing import Any

from hypothesis import strategies as st

from schemas.operations import BULK_OPERATIONS, Operation
from tests.faults.model.world import Targets
from tests.model.account import ModelAccount
from tests.model.one_by_one import UPSERTS, ModelJob

CONTACTS = 3
MOST_ITEMS = 9
PROPERTIES = {"a": "number", "b": "boolean", "c": "string", "d": "date"}
VALUES: dict[str, list[Any]] = {
    "name": ["Ana", "Bo", "Cy", "Di", None],
    "email": ["a@example.com", "b@example.com", None],
    "language": ["en", "pt-BR", None],
    "nickname": ["An", None],
    "age": [0, 1, 150, None],
    "gender": ["f", None],
    "timezone": ["Asia/Kolkata", None],
    "birth_date": ["1990-05-17", "--02-29", None],
    "address": [{"city": "Pune"}, {"country": "IN"}, None],
    "metadata": [{"k": 1}, {"k": None, "l": "x"}, {"l": {"deep": [None]}}, {}, None],
    "properties": [
        {"a": 1, "b": None},
        {"a": 2.5},
        {"b": True, "c": "x"},
        {"c": None, "d": "2024-02-29"},
        None,
    ],
}
BAD_PROPERTIES = [{"a": "text"}, {"unknown": 1}]
CAMEL = {"birth_date": "birthDate", "external_id": "externalId", "default_channel_id": "defaultChannelId"}


def phone(number: int) -> str:
    """Return the valid phone of a number from 0 to 9,999,999; a fixed few of them occur in the tests."""
    return f"+1415{2_000_000 + number:07}"


PHONES = st.integers(0, CONTACTS - 1).map(phone)
EXTERNAL_IDS = st.sampled_from(["e0", "e1", "e2"])
# half of the jobs: a job of contacts is what chunks in parallel, and settle, make difficult
OFTEN_UPSERTS = st.sampled_from(BULK_OPERATIONS) | st.sampled_from(sorted(UPSERTS))
FIELDS = st.fixed_dictionaries(
    {}, optional={name: st.sampled_from(values) for name, values in VALUES.items()}
)


@st.composite
def jobs(draw: st.DrawFn, targets: Targets, account: ModelAccount) -> ModelJob:
    """Draw a job of any operation."""
    operation = draw(OFTEN_UPSERTS)
    owners: dict[str, tuple[int, ...]] = {
        "lists": targets.lists, "labels": tuple(targets.labels), "audiences": targets.audiences
    }  # fmt: skip
    upserts = operation in UPSERTS
    match_on = draw(st.sampled_from(["auto", "auto", "auto", "phone", "external_id"])) if upserts else "auto"
    return ModelJob(
        operation=operation,
        items=draw(
            _items(targets, named=match_on != "auto")
            if upserts
            else _references(operation, sorted(account.ids().values()))
        ),
        owner_id=draw(st.sampled_from(owners.get(operation.partition(".")[0], (0,)))),
        preference=draw(st.sampled_from(["mute_marketing", "mute_all"])),
        match_on=match_on,
        channels=tuple(draw(st.lists(st.sampled_from(targets.channels), min_size=1, unique=True))),
        override_opt_outs=draw(st.booleans()),
        dry_run=draw(st.integers(0, 9)) == 9,
    )


def _items(targets: Targets, *, named: bool) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Contacts. A job that has an external id runs one chunk at a time, so most have none."""
    item = _contacts(targets)
    with_id = st.tuples(item, EXTERNAL_IDS | st.none()).map(lambda both: both[0] | {"external_id": both[1]})
    plain = st.lists(item, min_size=3, max_size=MOST_ITEMS)
    mixed = st.lists(with_id | item, min_size=1, max_size=MOST_ITEMS)
    return mixed if named else plain | plain | mixed


def _references(operation: Operation, ids: list[int]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """References, by id to one of `ids`.

    In a delete, a contact that occurs twice is merged in one chunk, and not found in the next one. So each
    occurs once there.
    """
    kinds: list[st.SearchStrategy[dict[str, Any]]] = [
        PHONES.map(lambda phone: {"phone": phone}),
        EXTERNAL_IDS.map(lambda external_id: {"external_id": external_id}),
    ]
    if ids:
        kinds.append(st.sampled_from(ids).map(lambda id_: {"id": id_}))
    if operation is Operation.CONTACTS_DELETE:
        return st.one_of([st.lists(kind, min_size=1, unique_by=repr) for kind in kinds])
    return st.lists(st.one_of(kinds), min_size=1, max_size=MOST_ITEMS)


def bodies(targets: Targets, *, new: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for the body of POST (`new`) or PATCH."""
    optional: dict[str, st.SearchStrategy[Any]] = {
        CAMEL.get(name, name): st.sampled_from(
            [value for value in values if value is not None or not _needed(name)]
        )
        for name, values in VALUES.items()
    } | {
        "externalId": EXTERNAL_IDS | st.none(),
        "defaultChannelId": st.sampled_from([*targets.channels, None]),
        "optedOut": st.booleans(),
        "communicationPreference": st.sampled_from(["allow_all", "mute_all"]),
        "teamId": st.sampled_from([*targets.teams, None]),
        "phoneNumber": PHONES,
    }
    if not new:
        return st.fixed_dictionaries({}, optional=optional).filter(bool)
    required = {"name": st.sampled_from(["Ana", "Bo"]), "phoneNumber": PHONES}
    rest = {name: strategy for name, strategy in optional.items() if name not in required}
    return st.fixed_dictionaries(required, optional=rest)


def _needed(name: str) -> bool:
    return name in {"name", "metadata", "properties"}


def _contacts(targets: Targets) -> st.SearchStrategy[dict[str, Any]]:
    channel = st.fixed_dictionaries(
        {}, optional={"default_channel_id": st.sampled_from([*targets.channels, None])}
    )
    good = st.tuples(PHONES, FIELDS, channel).map(lambda parts: {"phone": parts[0]} | parts[1] | parts[2])
    bad = st.one_of(
        FIELDS.map(lambda fields: fields | {"phone": "+14"}),
        st.tuples(PHONES, st.sampled_from(BAD_PROPERTIES)).map(
            lambda it: {"phone": it[0], "properties": it[1]}
        ),
    )
    return st.integers(0, 7).flatmap(lambda roll: good if roll else bad)
