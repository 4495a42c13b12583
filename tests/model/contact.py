"""A contact of the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

KEYED = ("metadata", "properties")
FIELDS = (
    "external_id",
    "name",
    "email",
    "language",
    "nickname",
    "age",
    "gender",
    "timezone",
    "birth_date",
    "address",
    "default_channel_id",
)
FIRST_PREFERENCE = "allow_all"

Owner = tuple[str, int]  # ("list" | "label" | "audience", its id)
OptIn = tuple[bool, bool]  # (opted in, decided by the contact itself)


@dataclass(eq=False, slots=True)
class ModelContact:
    """A contact, compared by identity. A contact that is deleted and created again is another one.

    `fields` has no null values. `id` is known only of contacts that were created over REST.
    """

    phone: str
    id: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    keyed: dict[str, dict[str, Any]] = field(default_factory=lambda: {name: {} for name in KEYED})
    opted_out: bool = False
    preference: str = FIRST_PREFERENCE
    team_id: int | None = None
    owners: set[Owner] = field(default_factory=set)
    opt_ins: dict[str, OptIn] = field(default_factory=dict)

    @property
    def external_id(self) -> str | None:
        """The client's own id of the contact."""
        return self.fields.get("external_id")

    def set(self, item: Mapping[str, Any]) -> None:
        """Set what an item sets: null clears a field or removes a key, an absent field keeps its value."""
        for name, value in item.items():
            if name in KEYED:
                for key, inner in (value or {}).items():
                    _set(self.keyed[name], key, inner)
            elif name in FIELDS:
                _set(self.fields, name, value)

    def plain(self) -> dict[str, Any]:
        """Return everything about the contact in the form of `stored.read`."""
        return {
            "phone": self.phone,
            **self.fields,
            **{name: dict(keys) for name, keys in self.keyed.items() if keys},
            "opted_out": self.opted_out,
            "preference": self.preference,
            "team_id": self.team_id,
            "owners": sorted(self.owners),
            "opt_ins": dict(sorted(self.opt_ins.items())),
        }


def _set(target: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        target.pop(key, None)
    else:
        target[key] = value
