"""The parts of the functions that keep before-images, generated from the declared fields of contacts.

Aliases in the parts: o is a contact before the change, n is the same one after it.
"""

from pathlib import Path

from schemas.items.contact_field import ContactField
from schemas.items.contacts import CONTACT_FIELDS
from storage.postgres.templates import render

KEPT_FIELD = Path(__file__).parent / "kept_field.sql"  # what keeps one field

MOST_CONTACTS = 1_000  # in a row of before_images
LARGEST_JSON = "65536"  # bytes of a JSON field of a contact
MOST_BYTES = 1_000_000  # of the larger values in a row of before_images, unless one contact has more


def changed_contacts_parts() -> dict[str, str | int]:
    """Return the parts of keep_changed_contacts.sql by name."""
    json_fields = (field.name for field in CONTACT_FIELDS if field.is_json)
    return {
        "differing": ",\n                ".join(map(_name_if_it_differs, CONTACT_FIELDS)),
        "most_contacts": MOST_CONTACTS,
        "kept_fields": "".join(map(_kept, CONTACT_FIELDS)),
        "before_and_after": ",\n                    ".join(map(_before_and_after, CONTACT_FIELDS)),
        "json_fields": ", ".join(f"'{name}'" for name in json_fields),
        "block": block("f.old_json", "f.new_json", partition="o.account_id, s.job_id, f.field"),
    }


def block(*values: str, partition: str = "") -> str:
    """Return the expression for the number of the row of before_images that a contact belongs to.

    A row has at most MOST_CONTACTS contacts, and about MOST_BYTES of `values`. Rows are numbered in each
    `partition`.
    """
    sizes = (_size(value, f"octet_length({value}::text)") for value in values)
    size = ", ".join([str(MOST_BYTES // MOST_CONTACTS), *sizes])
    by = f"PARTITION BY {partition} " if partition else ""
    return f"(sum(GREATEST({size})) OVER ({by}ROWS UNBOUNDED PRECEDING) - 1) / {MOST_BYTES}"


def _size(value: str, size_if_compressed: str) -> str:
    """Return the expression for the size of a JSON value, which an image holds uncompressed at first."""
    stored = f"pg_column_size({value})"
    return f"CASE WHEN pg_column_compression({value}) IS NULL THEN {stored} ELSE {size_if_compressed} END"


def _name_if_it_differs(field: ContactField) -> str:
    name = field.name
    return f"CASE WHEN bool_or(o.{name} IS DISTINCT FROM n.{name}) THEN '{name}' END"


def _kept(field: ContactField) -> str:
    return render(
        KEPT_FIELD.read_text("utf-8"),
        {
            "name": field.name,
            "values": "json" if field.is_json else "texts",
            "json": "_json" if field.is_json else "",
            "cast": "" if field.is_json else "::text",
            "is_json": str(field.is_json),
            "size": _size(field.name, LARGEST_JSON) if field.is_json else "0",
            "most_bytes": MOST_BYTES,
        },
    )


def _before_and_after(field: ContactField) -> str:
    if field.is_json:
        return f"('{field.name}', NULL, NULL, o.{field.name}, n.{field.name})"
    return f"('{field.name}', o.{field.name}::text, n.{field.name}::text, NULL::jsonb, NULL::jsonb)"
