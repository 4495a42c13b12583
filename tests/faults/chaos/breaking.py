"""The faults that break a part of a cluster: processes, backends, connections, failpoints."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tests.faults.harness.cluster import Cluster
from tests.faults.harness.parts import Part

Fault = Callable[[Cluster, random.Random], Awaitable[str]]

STEPS = (
    "part.stored", "accept.before_commit", "accept.after_commit", "claim.committed", "apply.after_copy",
    "apply.after_upsert", "apply.before_commit", "apply.after_commit", "settle.before_commit",
    "finish.before_commit", "finish.after_commit", "split.before_commit", "reconcile.before_commit",
    "dry_run.recorded", "cancel.before_commit",
)  # fmt: skip
API_STEPS = {"part.stored", "accept.before_commit", "accept.after_commit", "cancel.before_commit"}
TAKEN_SECONDS = 3.0  # a step may not be reached
BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


async def kill_worker(cluster: Cluster, rng: random.Random) -> str:
    """SIGKILL a worker."""
    return await _end([rng.choice(cluster.workers)], signal.SIGKILL)


async def kill_api(cluster: Cluster, rng: random.Random) -> str:
    """SIGKILL an api."""
    return await _end([rng.choice(cluster.apis)], signal.SIGKILL)


async def kill_valkey(cluster: Cluster, rng: random.Random) -> str:
    """SIGKILL Valkey."""
    return await _end([cluster.valkey], signal.SIGKILL)


async def kill_postgres(cluster: Cluster, rng: random.Random) -> str:
    """SIGKILL PostgreSQL's postmaster."""
    return await _end([cluster.postgres], signal.SIGKILL)


async def kill_all(cluster: Cluster, rng: random.Random) -> str:
    """SIGKILL every process."""
    return await _end(cluster.parts, signal.SIGKILL)


async def restart_workers(cluster: Cluster, rng: random.Random) -> str:
    """SIGTERM all workers, one after the other."""
    for part in list(cluster.workers):
        await _end([part], signal.SIGTERM)
    return ""


async def restart_api(cluster: Cluster, rng: random.Random) -> str:
    """SIGTERM an api."""
    return await _end([rng.choice(cluster.apis)], signal.SIGTERM)


async def stop_worker(cluster: Cluster, rng: random.Random) -> str:
    """SIGSTOP a worker, also for longer than its leases."""
    return await _pause(rng.choice(cluster.workers), rng.uniform(1, 9))


async def stop_api(cluster: Cluster, rng: random.Random) -> str:
    """SIGSTOP an api."""
    return await _pause(rng.choice(cluster.apis), rng.uniform(0.5, 4))


async def stop_postgres(cluster: Cluster, rng: random.Random) -> str:
    """SIGSTOP PostgreSQL with its backends."""
    return await _pause(cluster.postgres, rng.uniform(0.5, 5))


async def stop_valkey(cluster: Cluster, rng: random.Random) -> str:
    """SIGSTOP Valkey."""
    return await _pause(cluster.valkey, rng.uniform(0.5, 5))


async def valkey_away(cluster: Cluster, rng: random.Random) -> str:
    """Keep Valkey dead for a while."""
    seconds = rng.uniform(1, 5)
    async with cluster.valkey.away():
        await asyncio.sleep(seconds)
    return f"{seconds:.1f} s"


async def kill_backend(cluster: Cluster, rng: random.Random) -> str:
    """SIGKILL a backend, as the system does that is out of memory: PostgreSQL restarts all backends."""
    pid = rng.choice(await cluster.sql(BACKENDS))["pid"]
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return str(pid)


async def terminate_backend(cluster: Cluster, rng: random.Random) -> str:
    """End the connection of a backend."""
    pid = rng.choice(await cluster.sql(BACKENDS))["pid"]
    await cluster.sql("SELECT pg_terminate_backend($1)", pid)
    return str(pid)


async def cut_connections(cluster: Cluster, rng: random.Random) -> str:
    """Cut all connections of a process."""
    name, proxies = rng.choice(sorted(cluster.proxies.items()))
    for proxy in proxies:
        proxy.cut()
    return name


async def lose_commit(cluster: Cluster, rng: random.Random) -> str:
    """Lose the reply to a COMMIT of a process."""
    name, (database, _) = rng.choice(sorted(cluster.proxies.items()))
    lost = database.lose_next_commit()
    with suppress(TimeoutError):
        await asyncio.wait_for(lost.wait(), TAKEN_SECONDS)
    database.behave()
    return f"{name}, {'lost' if lost.is_set() else 'no commit came'}"


async def half_open(cluster: Cluster, rng: random.Random) -> str:
    """Swallow everything that a process and its servers send, then cut the connections."""
    name, proxies = rng.choice(sorted(cluster.proxies.items()))
    for proxy in proxies:
        proxy.silent = True
    await asyncio.sleep(rng.uniform(0.5, 4))
    for proxy in proxies:
        proxy.behave()
        proxy.cut()
    return name


async def slow_network(cluster: Cluster, rng: random.Random) -> str:
    """Delay everything that a process and its servers send."""
    name, proxies = rng.choice(sorted(cluster.proxies.items()))
    for proxy in proxies:
        proxy.delay_seconds = 0.05
    await asyncio.sleep(2)
    for proxy in proxies:
        proxy.behave()
    return name


async def failpoint(cluster: Cluster, rng: random.Random) -> str:
    """Kill, stop or fail the next process that reaches a step."""
    step, action = rng.choice(STEPS), rng.choice(["kill", "kill", "stop", "fail", "fail lost"])
    if action == "fail" and step in API_STEPS:
        action = "fail lost"  # an error of ours in the api is a 500, which no client should repeat
    seconds = rng.uniform(0.5, 8)
    cluster.steps.arm(step, action)
    try:
        pid = await cluster.steps.taken(step, seconds=TAKEN_SECONDS)
    except TimeoutError:
        cluster.steps.disarm()
        return f"{step} {action}, not reached"
    part = next((part for part in cluster.parts if part.pid == pid), None)
    if action == "stop" and part is not None:
        await asyncio.sleep(seconds)
        part.thaw()
    if action == "kill" and part is not None:
        await _gone(part, pid)
        await part.back()
    return f"{step} {action}"


async def _gone(part: Part, pid: int) -> None:
    async with asyncio.timeout(10):
        while part.pid == pid:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _end(parts: list[Part], number: signal.Signals) -> str:
    await asyncio.gather(*(part.end(number) for part in parts))
    await asyncio.gather(*(part.back() for part in parts))
    return ", ".join(part.child.name for part in parts)


async def _pause(part: Part, seconds: float) -> str:
    part.freeze()
    await asyncio.sleep(seconds)
    part.thaw()
    return f"{part.child.name} {seconds:.1f} s"
