"""The step that calls all routes of the operator, and what workers and the command line do beside them."""

from itertools import count

from api.routes import OPERATOR_ROUTES
from schemas.ids import show_job_id
from storage.operator import backlog, workers
from tests.factories import make_job, phone
from tests.integration.api.operator.operator_client import V1, OperatorClient
from tests.integration.plans.growing_world import Sessions

NUMBERS = count(1)


async def operator_calls(at: Sessions) -> None:
    """Call each route of the operator, with jobs that are queued, claimed and failing."""
    operator, account_id, new = OperatorClient(at.session), at.world.account.id, next(NUMBERS)
    await workers.beat(at.ctx.pool, at.ctx.worker_id, host="host", pid=1, version="1", age=1, metrics_port=1)
    job_id = show_job_id(await make_job(at.ctx, account_id, [{"phone": phone(n)} for n in range(10)]))
    calls = {
        ("GET", "/accounts"): ("?limit=1&search=account", None),
        ("POST", "/accounts"): ("", {"name": f"new {new}"}),
        ("GET", "/accounts/{account}"): ("", None),
        ("PATCH", "/accounts/{account}"): ("", {"default_wait": 0}),  # others submit with this account
        ("DELETE", "/accounts/{account}"): ("", None),
        ("GET", "/accounts/{account}/keys"): ("", None),
        ("POST", "/accounts/{account}/keys"): ("", {"name": "key"}),
        ("GET", "/accounts/{account}/keys/{key}"): ("", None),
        ("POST", "/accounts/{account}/keys/{key}/rotate"): ("", {}),
        ("POST", "/accounts/{account}/keys/{key}/revoke"): ("", None),
        ("GET", "/jobs"): ("?limit=1", None),
        ("GET", "/jobs/{job_id}"): ("", None),
        ("GET", "/jobs/{job_id}/audit"): ("", None),
        ("POST", "/jobs/{job_id}/cancel"): ("", None),
        ("GET", "/metrics-targets"): ("", None),
        ("GET", "/workers"): ("", None),
        ("GET", "/queue"): ("", None),
        ("GET", "/health"): ("", None),
        ("GET", "/slow"): ("", None),
    }
    for route in OPERATOR_ROUTES:
        if route.path == "/metrics":  # keeps what it reads for some seconds
            await backlog.read(at.ctx.pool)
            continue
        path = route.path.removeprefix(V1)
        query, body = calls[route.method, path]
        account = f"new {new}" if route.method == "DELETE" else f"org_{account_id}"
        for name, value in {"account": account, "key": "key", "job_id": job_id}.items():
            path = path.replace(f"{{{name}}}", value)
        response = await operator.call(route.method, path + query, json=body)
        assert response.status in {200, 201, 202}, (route.path, response.body)
    await operator.get(f"/accounts?limit=1&search=account&cursor=org_{account_id}")
    await operator.get(f"/accounts/{at.world.account.name}")
    await workers.leave(at.ctx.pool, at.ctx.worker_id)
