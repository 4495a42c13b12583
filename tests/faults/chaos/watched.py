"""Compare what an account's client has seen of its jobs, in events and in counts, with the stored jobs."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import asyncpg

from tests.faults.chaos.jobs import AGAIN, JOB_NAMES, STOPPABLE
from tests.faults.chaos.workload import Workload

Jobs = Mapping[str, asyncpg.Record]

FILTERS = (
    {}, {"tag": STOPPABLE}, {"tag": AGAIN}, {"tag": "daily", "name": "daily*"}, {"name": "daily"},
    *({"name": name, "tag": STOPPABLE} for name in JOB_NAMES),
)  # fmt: skip


async def watched(workload: Workload, jobs: Jobs) -> list[str]:
    """Return a line for each job whose name, tags, count or end is told otherwise than it is stored."""
    events = await workload.events.ends_of(jobs)
    lines = [*_unlike(workload, jobs), *_untold(workload, jobs, events)]
    for wanted in FILTERS:
        response = await workload.client.call("GET", f"/v1/jobs/counts?{urlencode(wanted)}")
        told = {state: number for state, number in response.json["states"].items() if number}
        expected = Counter(job["state"] for job in jobs.values() if _matches(job, wanted))
        if told != expected:
            lines.append(f"counts with {wanted}: {told}, stored: {dict(expected)}")
    return lines


def _untold(workload: Workload, jobs: Jobs, events: Mapping[str, list[Any]]) -> Iterator[str]:
    """Each job has one event with its end, which is the last."""
    account_id = workload.client.account_id
    for job_id in events.keys() - jobs.keys():
        if events[job_id][-1]["state"] != "receiving":  # an upload that was cut may be deleted
            yield f"account {account_id} has events of a job that it has not: {job_id}"
    for job_id, job in jobs.items():
        told = events.get(job_id, [])
        states = [event["state"] for event in told]
        if not states or states[-1] != job["state"] or states.count(job["state"]) != 1:
            yield f"the events of job {job_id}, which is {job['state']}: {states}"
        elif (view := workload.client.told.get(job_id)) and view["counts"] != told[-1]["counts"]:
            yield f"the last event of job {job_id}: {told[-1]['counts']}, told: {view['counts']}"


def _unlike(workload: Workload, jobs: Jobs) -> Iterator[str]:
    """Each job has the name and tags that were asked for."""
    for sent in workload.sent:
        asked = sent.asked.get("name"), sent.asked.get("tags", "")
        if (found := jobs.get(sent.id)) and (found["name"], ",".join(found["tags"])) != asked:
            yield f"job {sent.id}: asked for {asked}, stored: {dict(found)}"


def _matches(job: asyncpg.Record, wanted: Mapping[str, str]) -> bool:
    if "tag" in wanted and wanted["tag"] not in job["tags"]:
        return False
    name = wanted.get("name")
    if name is None:
        return True
    return job["name"] is not None and (
        job["name"].startswith(name[:-1]) if name.endswith("*") else job["name"] == name
    )
