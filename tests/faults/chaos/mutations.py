"""The guards of the promises: how to remove each, and the tests that must notice."""

from dataclasses import dataclass

PIPELINE = "tests/integration/worker/pipeline"
SETTLE = "tests/integration/worker/settle"
ACCEPT = "tests/integration/api/accept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A guard, its exact text in `file`, the text without it, and the tests that turn red.

    `times` is how often the text occurs; each is replaced.
    """

    guard: str
    promise: str
    file: str
    text: str
    instead: str
    tests: tuple[str, ...]
    times: int = 1


MUTATIONS = (
    Mutation(
        guard="fence: the token of the claim",
        promise="P2",
        file="storage/pipeline/chunks.sql",
        text="  AND token = :token AND state = 'running'\nFOR UPDATE;",
        instead="  AND (token = :token OR true) AND state = 'running'\nFOR UPDATE;",
        tests=(f"{PIPELINE}/test_fence.py",),
    ),
    Mutation(
        guard="fence: the state of the chunk",
        promise="P2",
        file="storage/pipeline/chunks.sql",
        text="  AND token = :token AND state = 'running'\nFOR UPDATE;",
        instead="  AND token = :token\nFOR UPDATE;",
        tests=(f"{PIPELINE}/test_fence.py",),
    ),
    Mutation(
        guard="fence: the range of the claim",
        promise="P2",
        file="storage/pipeline/chunks.sql",
        text="AND first_index = :first_index AND items = :items\n",
        instead="AND first_index = :first_index AND (items = :items OR true)\n",
        tests=(f"{PIPELINE}/test_fence.py",),
    ),
    Mutation(
        guard="token: random, so that a lost claim never repeats it",
        promise="P2",
        file="storage/pipeline/leases.py",
        text="    return [number >> 1 for number",
        instead="    return [number * 0 + 1 for number",
        tests=(f"{PIPELINE}/test_fence.py",),
    ),
    Mutation(
        guard="disown: a worker gives back the claims that it does not know",
        promise="P6",
        file="worker/turn.py",
        text="            await chunks.disown(ctx.pool, ctx.worker_id, strays)",
        instead="            pass",
        tests=(f"{PIPELINE}/test_fence.py",),
    ),
    Mutation(
        guard="disown: not the claims that it holds",
        promise="P2",
        file="worker/turn.py",
        text="[token for token in unknown if token not in ctx.held]",
        instead="[token for token in unknown]",
        tests=(f"{PIPELINE}/test_fence.py",),
    ),
    Mutation(
        guard="stream order: only the oldest unfinished job of a stream",
        promise="P3",
        file="storage/schema/views/claimable.sql",
        text="    ORDER BY j.stream_position\n",
        instead="    ORDER BY j.stream_position DESC\n",
        tests=(f"{PIPELINE}/test_order.py",),
    ),
    Mutation(
        guard="stream order: a job has at most `parallel` chunks in flight",
        promise="P3",
        file="storage/schema/views/claimable.sql",
        text="head.parallel > (",
        instead="1000 > (",
        tests=(f"{PIPELINE}/test_order.py",),
    ),
    Mutation(
        guard="stream order: a job ends only after all its chunks",
        promise="P1, P10",
        file="storage/pipeline/finish.sql",
        text=" AND c.state = 'running' OFFSET 0)\nRETURNING j.operation",
        instead=" AND false OFFSET 0)\nRETURNING j.operation",
        tests=(f"{PIPELINE}/test_order.py", f"{PIPELINE}/test_reconcile.py"),
    ),
    Mutation(
        guard="lease: only a ready chunk is leased",
        promise="P2",
        file="storage/schema/functions/lease_chunks.sql",
        text="              AND (h.state = 'ready') IS TRUE OFFSET 0",
        instead="              OFFSET 0",
        tests=(f"{PIPELINE}/test_order.py",),
    ),
    Mutation(
        guard="lease: a chunk is free only after its lease",
        promise="P2",
        file="storage/pipeline/chunks.sql",
        text="WHERE state = 'running' AND NOT leased(lease_until)\n",
        instead="WHERE state = 'running'\n",
        tests=(f"{PIPELINE}/test_fence.py", f"{PIPELINE}/test_reconcile.py"),
    ),
    Mutation(
        guard="lease: a worker renews what it holds",
        promise="P2, P6",
        file="worker/turn.py",
        text="        unknown = await chunks.renew(ctx.pool, ctx.worker_id, ctx.held)\n",
        instead="        await chunks.renew(ctx.pool, ctx.worker_id, set())\n        unknown = set()\n",
        tests=(f"{PIPELINE}/test_fence.py",),
    ),
    Mutation(
        guard="lease: PostgreSQL's silence does not make a lease abandoned",
        promise="P12",
        file="storage/pipeline/leases.py",
        text="        if now - self._looked_at > PAUSE_SECONDS:\n            self._since.clear()\n",
        instead="",
        tests=("tests/unit/storage/test_leases.py",),
    ),
    Mutation(
        guard="cold window: a restarted server has lost grants",
        promise="P4",
        file="storage/windows/window.lua",
        text="return state[1] ~= run or state[2] ~= ARGV[2] or",
        instead="return state[2] ~= ARGV[2] or",
        tests=("tests/integration/test_window.py",),
    ),
    Mutation(
        guard="cold window: an empty log loads the grants from PostgreSQL",
        promise="P4",
        file="storage/windows/window.lua",
        text="  if ARGV[7] ~= '1' then return {0} end\n",
        instead="",
        tests=("tests/integration/test_window.py",),
    ),
    Mutation(
        guard="part count: accept compares the stored parts",
        promise="P1",
        file="storage/pipeline/uploads.py",
        text="    if tuple(stored) != (received.parts, received.parts - 1, received.size):\n",
        instead="    if stored is ...:\n",
        tests=(f"{ACCEPT}/test_lost_parts.py",),
    ),
    Mutation(
        guard="COMMIT before 202: accept commits",
        promise="P1",
        file="api/accept/upload.py",
        text='            reach("accept.before_commit")\n',
        instead="            await conn.execute('ROLLBACK AND CHAIN')\n",
        tests=(f"{ACCEPT}/test_commit.py",),
    ),
    Mutation(
        guard="COMMIT before 202: so does the statement of a small job",
        promise="P1",
        file="api/accept/upload.py",
        text="        place = await self._accept_small(small)\n",
        instead="        now = __import__('datetime').datetime.now()\n"
        "        place = Place(ahead=0, received_at=now, accepted_at=now)\n",
        tests=(f"{ACCEPT}/test_commit.py",),
    ),
    Mutation(
        guard="COMMIT before 202: a small job waits for the disk, too",
        promise="P1",
        file="api/http/context.py",
        text='"synchronous_commit": "on"}',
        instead='"synchronous_commit": "off"}',
        tests=("tests/faults/test_durability.py",),
    ),
    Mutation(
        guard="COMMIT before 202: it waits for the disk",
        promise="P1",
        file="api/accept/upload.py",
        text="durable=False, flush=True)",
        instead="durable=False)",
        tests=("tests/faults/test_durability.py",),
    ),
    Mutation(
        guard="durable finish: a client reads an end only when it is on disk",
        promise="P10",
        file="worker/finish.py",
        text="transaction(ctx.pool, durable=True, unlimited_time=True, long_wait=True)",
        instead="transaction(ctx.pool, unlimited_time=True, long_wait=True)",
        tests=("tests/faults/test_durability.py",),
    ),
    Mutation(
        guard="durable finish: so do the small jobs that end together",
        promise="P10",
        file="worker/together.py",
        text="transaction(ctx.pool, durable=True, short_wait=True)",
        instead="transaction(ctx.pool, short_wait=True)",
        tests=("tests/faults/test_durability.py",),
    ),
    Mutation(
        guard="settle: a job that was applied out of order is corrected",
        promise="P3",
        file="worker/settle.py",
        text="    if not operation_of(job.operation).settles:\n        return\n",
        instead="    return\n",
        tests=(f"{SETTLE}/test_settle.py",),
    ),
    Mutation(
        guard="settle: a change over REST comes after the items applied before it",
        promise="P3",
        file="worker/operations/history.py",
        text="                if last.at <= self._index_before(change.at):\n",
        instead="                if False:\n",
        tests=("tests/unit/test_history.py", SETTLE),
    ),
    Mutation(
        guard="settle: a value that somebody else wrote stays",
        promise="P3",
        file="worker/operations/history.py",
        text=" and _equal(now.value, _stored(stored, path)):",
        instead=":",
        tests=("tests/unit/test_history.py", SETTLE),
    ),
    Mutation(
        guard="settle: a worker that lost its lease corrects nothing after the end",
        promise="P2",
        file="worker/settle.py",
        text="if not await finish.lock_finished(conn, job):",
        instead="if False:",
        tests=(f"{SETTLE}/test_settle.py",),
    ),
    Mutation(
        guard="settle: a change over REST locks the contact before it looks for a job",
        promise="P3",
        file="storage/entities/contacts.py",
        text="if await QUERIES.lock_to_change(conn, account_id=account_id, id=contact_id) is None:",
        instead="if False:",
        tests=(f"{SETTLE}/test_recorded_changes.py",),
    ),
    Mutation(
        guard="settle: only the end of the running job forgets the changes over REST",
        promise="P3",
        file="storage/schema/functions/leave_jobs.sql",
        text="j.stream = p_recorded AND j.state = 'running' OFFSET 0)",
        instead="j.stream = p_recorded AND false OFFSET 0)",
        tests=(f"{SETTLE}/test_recorded_changes.py",),
    ),
    Mutation(
        guard="tenant filter: a contact is read by account and id",
        promise="P8",
        file="storage/entities/contacts.sql",
        text="SELECT * FROM contacts WHERE account_id = :account_id AND id BETWEEN :id AND :id ORDER BY id;",
        instead="SELECT * FROM contacts WHERE (account_id = :account_id OR true) AND id = :id LIMIT 1;",
        tests=("tests/integration/api/http/test_tenants.py",),
    ),
    Mutation(
        guard="tenant filter: a job names contacts of its own account",
        promise="P8",
        file="storage/entities/references.sql",
        text="WHERE account_id = :account_id AND",
        times=5,
        instead="WHERE (account_id = :account_id OR true) AND",
        tests=("tests/integration/worker/operations/test_references.py",),
    ),
    Mutation(
        guard="tenant filter: a job is read by account and id",
        promise="P8",
        file="storage/pipeline/jobs.sql",
        text="SELECT state FROM jobs WHERE account_id = :account_id AND id = :id;",
        instead="SELECT state FROM jobs WHERE (account_id = :account_id OR true) AND id = :id;",
        tests=("tests/integration/api/http/test_tenants.py",),
    ),
    Mutation(
        guard="counts: the terminal state tells of failed items",
        promise="P10",
        file="storage/pipeline/finish.sql",
        text="WHEN a.failed + c.failed > 0 THEN 'completed_with_errors'",
        instead="WHEN false THEN 'completed_with_errors'",
        tests=(f"{PIPELINE}/test_outcomes.py", f"{PIPELINE}/test_bad_items.py"),
    ),
)
