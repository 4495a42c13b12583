"""The order in which jobs and REST changes take effect: see the package."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.model.account import ModelAccount, Surroundings
from tests.model.contact import ModelContact
from tests.model.one_by_one import Effect, ModelJob, apply_item, close_overwrite

Change = Callable[[ModelAccount], None]


@dataclass(eq=False, slots=True)
class Run:
    """A job in the history: which of its items are applied, and their effects in the latest replay."""

    job: ModelJob
    applied: set[int] = field(default_factory=set)
    effects: dict[int, Effect] = field(default_factory=dict)

    @property
    def named(self) -> set[ModelContact]:
        """The contacts of the items that did not fail."""
        return {effect.contact for effect in self.effects.values() if effect.contact}


@dataclass(frozen=True, slots=True)
class _Item:
    run: Run
    index: int


class History:
    """The requests of an account in the order of their effects. `account` is the state after all of them."""

    def __init__(self, make_surroundings: Callable[[], Surroundings]) -> None:
        self._make_surroundings = make_surroundings
        self._entries: list[_Item | Change] = []
        self.account = ModelAccount(make_surroundings())

    def change(self, change: Change) -> None:
        """Apply a REST change, which was answered."""
        self._entries.append(change)
        change(self.account)

    def apply(self, run: Run, indexes: range) -> None:
        """Apply the items of a chunk of a job, in order."""
        replay = False
        for index in indexes:
            run.applied.add(index)
            if (at := self._later_item(run, index)) is None:
                self._entries.append(_Item(run, index))
                run.effects[index] = apply_item(self.account, run.job, run.job.items[index])
            else:
                self._entries.insert(at, _Item(run, index))
                replay = True
        if replay:
            self._replay()

    def end(self, run: Run, *, cancelled: bool) -> None:
        """End a job: the closing step of an overwrite that was not cancelled."""
        if run.job.operation == "lists.overwrite" and not cancelled:
            self.change(lambda account: close_overwrite(account, run.job, run.named))

    def _later_item(self, run: Run, index: int) -> int | None:
        """Return the place of the first item of the run that comes later and names the same phone."""
        if not run.job.upserts:
            return None
        phone = run.job.items[index]["phone"]
        for at, entry in enumerate(self._entries):
            match entry:
                case _Item(other, later) if other is run and later > index:
                    if run.job.items[later]["phone"] == phone:
                        return at
        return None

    def _replay(self) -> None:
        self.account = ModelAccount(self._make_surroundings())
        for entry in self._entries:
            if isinstance(entry, _Item):
                effect = apply_item(self.account, entry.run.job, entry.run.job.items[entry.index])
                entry.run.effects[entry.index] = effect
            else:
                entry(self.account)


def failed_items(run: Run) -> list[dict[str, Any]]:
    """Return the items of a run that failed, in order: those of its retry."""
    return [run.job.items[index] for index in sorted(run.effects) if run.effects[index].word == "failed"]
