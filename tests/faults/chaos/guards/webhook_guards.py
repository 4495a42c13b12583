"""The guards of webhooks: each end is told once, under one id, in order; errors of ours blame no endpoint."""

from tests.faults.chaos.guards.mutation import Mutation

SQL = "storage/schema/functions"
TESTS = "tests/integration/webhooks"
KILLS = "tests/faults/processes/test_operations.py"

WEBHOOK_GUARDS = (
    Mutation(
        guard="webhooks: an ordered one sends one message at a time",
        promise="P3",
        file=f"{SQL}/claim_deliveries.sql",
        text="        IF hook.ordered THEN\n",
        instead="        IF hook.ordered AND false THEN\n",
        tests=(f"{TESTS}/test_delivering.py", "tests/faults/processes/test_webhooks.py"),
    ),
    Mutation(
        guard="webhooks: a message keeps its id",
        promise="P1",
        file=f"{SQL}/record_attempt.sql",
        text="        state = p_state, token = NULL,",
        instead="        state = p_state, id = gen_random_uuid(), token = NULL,",
        tests=(KILLS,),
    ),
    Mutation(
        guard="webhooks: the end of a small job is told",
        promise="P1",
        file=f"{SQL}/end_small_jobs.sql",
        text="WHERE h.account_id = d.account_id AND h.state = 'on'",
        instead="WHERE h.account_id = d.account_id AND h.state = 'no'",
        tests=(f"{TESTS}/test_queueing.py",),
    ),
    Mutation(
        guard="webhooks: a job that ended during a deletion is not told",
        promise="P10",
        file=f"{SQL}/take_in_deliveries.sql",
        text="\n              AND w.life = COALESCE(o.life, w.life)",
        instead="",
        tests=(f"{TESTS}/test_deleting.py",),
    ),
    Mutation(
        guard="webhooks: a deletion sees what a worker is changing",
        promise="P10",
        file="storage/webhooks/endpoints.sql",
        text="number = ANY (ARRAY(\n        SELECT number",
        instead="ctid = ANY (ARRAY(\n        SELECT ctid",
        tests=(f"{TESTS}/test_deleting.py",),
    ),
    Mutation(
        guard="webhooks: an error of ours is no failure of the endpoint",
        promise="P12",
        file=f"{SQL}/record_attempt.sql",
        text="failures = CASE WHEN p_ours THEN w.failures WHEN",
        instead="failures = CASE WHEN",
        tests=(f"{TESTS}/test_faults_of_ours.py",),
    ),
    Mutation(
        guard="webhooks: attempts share few connections",
        promise="P5",
        file="worker/webhooks/deliver.py",
        text="asyncio.Semaphore(STATEMENTS)",
        instead="asyncio.Semaphore(SLOTS)",
        tests=(f"{TESTS}/test_sharing.py",),
    ),
    Mutation(
        guard="webhooks: a clock that is set back delays no attempt",
        promise="P6",
        file=f"{SQL}/follow_clock.sql",
        text="UPDATE webhook_deliveries SET due_at = due_at - step",
        instead="UPDATE webhook_deliveries SET due_at = due_at",
        tests=(f"{TESTS}/test_faults_of_ours.py",),
    ),
)
