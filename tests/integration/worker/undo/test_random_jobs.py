"""Random jobs are undone, and random changes by others in between are kept."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.ids import show_id
from schemas.states import Outcome
from storage.context import Context
from storage.pipeline.results import ResultRow
from tests.integration.worker.images.turning_back import State, state_of
from tests.integration.worker.undo.worlds import disturb, make_world, run_random, undo
from worker.undo.plan import PREFIXES

GONE: Any = object()
FEW, MANY = 25, 1500
quick = settings(max_examples=FEW, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
long = settings(quick, max_examples=MANY)
seeds = given(seed=st.integers(0, 2**32 - 1))


@quick
@seeds
async def test_a_job_and_its_undo_leave_everything_as_it_was(ctx: Context, seed: int) -> None:
    await _undo_and_redo(ctx, seed)


@quick
@seeds
async def test_an_undo_keeps_and_tells_exactly_what_others_have_changed(ctx: Context, seed: int) -> None:
    await _undo_after_changes(ctx, seed)


@pytest.mark.long
@pytest.mark.timeout(3600)
@long
@seeds
async def test_many_jobs_and_their_undos_leave_everything_as_it_was(ctx: Context, seed: int) -> None:
    await _undo_and_redo(ctx, seed)


@pytest.mark.long
@pytest.mark.timeout(3600)
@long
@seeds
async def test_many_undos_keep_and_tell_exactly_what_others_have_changed(ctx: Context, seed: int) -> None:
    await _undo_after_changes(ctx, seed)


async def _undo_and_redo(ctx: Context, seed: int) -> None:
    """Run a job, undo it twice, which changes nothing more, and undo the undo."""
    rng = random.Random(seed)
    tenant = await make_world(ctx, rng)
    before = await state_of(ctx, tenant.id)
    job = await run_random(ctx, rng, tenant)
    after = await state_of(ctx, tenant.id)
    undone, results = await undo(ctx, tenant, job)
    assert await state_of(ctx, tenant.id) == before
    assert {result.code for result in results} <= {None}
    _, again = await undo(ctx, tenant, job)
    assert {(result.outcome, result.code) for result in again} <= {(Outcome.UNCHANGED, None)}
    if undone is not None:
        await undo(ctx, tenant, undone)
    assert await state_of(ctx, tenant.id) == after


async def _undo_after_changes(ctx: Context, seed: int) -> None:
    """Run a job, let others change contacts, and undo it."""
    rng = random.Random(seed)
    tenant = await make_world(ctx, rng)
    before = await state_of(ctx, tenant.id)
    job = await run_random(ctx, rng, tenant)
    after = await state_of(ctx, tenant.id)
    touched_before = await _times(ctx, tenant.id)
    await disturb(ctx, rng, tenant)
    disturbed = await state_of(ctx, tenant.id)
    touched = {id_ for id_, at in (await _times(ctx, tenant.id)).items() if touched_before.get(id_) != at}
    _, results = await undo(ctx, tenant, job)
    found = await state_of(ctx, tenant.id)
    by_contact = {result.contact_id: result for result in results}
    failed = _failed(results)
    for id_ in before.keys() | after.keys() | disturbed.keys():
        was, left, now = [_paths(state, id_) for state in (before, after, disturbed)]
        result = by_contact.get(id_)
        if result is None:  # the job did not change it, or its item failed
            assert was == left or failed
            assert _paths(found, id_) == now
            continue
        _check(result, was, left, now, _paths(found, id_), is_touched=id_ in touched)


def _failed(results: list[ResultRow]) -> bool:
    failed = [result for result in results if result.outcome is Outcome.FAILED]
    assert {result.code for result in failed} <= {"phone_taken", "conflict"}
    return bool(failed)


def _check(
    result: ResultRow,
    before: dict[str, Any],
    after: dict[str, Any],
    disturbed: dict[str, Any],
    found: dict[str, Any],
    *,
    is_touched: bool,
) -> None:
    """Compare a contact with what the undo should leave of it."""
    kept = set(result.fields or ())
    assert bool(kept) == (result.code == "kept_changed_since")
    if not disturbed:
        if after:  # deleted by somebody else
            assert not found
            assert kept == ({"contact"} if before else set())
        else:
            assert found == before
        return
    if not before:
        if not is_touched and disturbed == after:
            assert not found
        elif found:
            assert "contact" in kept
            others = {
                path for path in after | disturbed if after.get(path, GONE) != disturbed.get(path, GONE)
            }
            assert {path: found.get(path, GONE) for path in others} == {
                path: disturbed.get(path, GONE) for path in others
            }
        return
    paths = before.keys() | after.keys() | disturbed.keys()
    values = {path: [state.get(path, GONE) for state in (before, after, disturbed)] for path in paths}
    expected = {path: now if now != was else old for path, (old, was, now) in values.items()}
    assert found == {path: value for path, value in expected.items() if value is not GONE}
    may_keep = {_shown(path) for path, (old, was, now) in values.items() if now not in (was, old)}
    must_keep = {
        _shown(path) for path, (old, was, now) in values.items() if now not in (was, old) and old != was
    }
    assert must_keep <= kept <= may_keep


def _paths(state: State, id_: int) -> dict[str, Any]:
    """Return a contact as values by path: each key of a JSON field is one."""
    paths: dict[str, Any] = {}
    for name, value in state.get(id_, {}).items():
        if name in ("metadata", "properties"):
            paths |= {f"{name}.{key}": repr(inner) for key, inner in value.items()}
        else:
            paths[name] = repr(value)
    return paths


def _shown(path: str) -> str:
    kind, _, number = path.partition(":")
    return f"{kind}:{show_id(PREFIXES[kind], int(number))}" if kind in PREFIXES else path


async def _times(ctx: Context, account_id: int) -> dict[int, Any]:
    rows = await ctx.pool.fetch("SELECT id, updated_at FROM contacts WHERE account_id = $1", account_id)
    return {row["id"]: row["updated_at"] for row in rows}
