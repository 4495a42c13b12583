"""`bulklane login`, `jobs`, `contacts`, `lists`, `labels`, `webhooks` and `operator`."""

import json
import stat
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bulklane import Bulklane
from bulklane.decode import decode
from bulklane.resource_models import Contact
from tests.acceptance.command.calling import Caller, caller_of
from tests.acceptance.service import BIN, Service, environment

SECONDS = 30.0
ROWS = [{"phone": "+14155552671", "name": "Ana\x1b[2J"}, {"phone": "12", "name": "Rui"}]


@pytest.fixture
def caller(service: Service) -> Caller:
    """Return a caller in the folder of the service."""
    return caller_of(service)


@pytest.fixture
def stranger(service: Service, tmp_path: Path) -> Caller:
    """Return a caller on another machine: nothing tells where the service is."""
    return Caller(environment(tmp_path))


@pytest.fixture
def job_id(service: Service) -> str:
    """Return a job with an error."""
    with Bulklane(key=service.dev["api_key"], url=service.dev["url"]) as client:
        return client.jobs.submit(ROWS, name="import 7", tags=["a"]).wait(SECONDS).id


def api(service: Service, path: str) -> Any:
    """Return what the API responds."""
    headers = {"Authorization": f"Bearer {service.dev['api_key']}"}
    return httpx2.get(service.dev["url"] + path, headers=headers).json()


def test_login_checks_the_key_and_keeps_it_for_its_owner_alone(
    service: Service, stranger: Caller, tmp_path: Path
) -> None:
    url, key = service.dev["url"], service.dev["api_key"]
    assert "where is the service? Run `bulklane login`" in stranger.text("jobs", "list", status=2)
    refused = stranger.call("login", "--url", url, given="wrong\n")
    assert (refused.status, refused.out) == (2, "")
    assert "the service refuses the key" in refused.err

    called = stranger.call("login", "--url", f"{url}/", "--profile", "staging", given=f"{key}\n")

    path = tmp_path / ".config" / "bulklane" / "profiles.json"
    assert called.out == f"logged in to {url} as demo: profile staging in {path}\n"
    assert key not in called.out + called.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "where is the service?" in stranger.text("jobs", "list", status=2)
    assert "ID" in stranger.text("jobs", "list", "--profile", "staging")
    profiles = stranger.read("profiles")["data"]
    assert profiles == [{"name": "staging", "url": url, "account": True, "operator": False}]
    path.chmod(0o644)
    assert f"run chmod 600 {path}" in stranger.text("profiles", status=2)
    path.chmod(0o600)
    assert stranger.text("logout", "--profile", "staging") == "forgot the profile staging\n"
    assert "there is no profile 'staging'" in stranger.text("jobs", "list", "--profile", "staging", status=2)


def test_the_operator_logs_in_beside_the_account(service: Service, stranger: Caller) -> None:
    url = service.dev["url"]
    for words, key in (([], service.dev["api_key"]), (["--operator"], service.dev["operator_key"])):
        assert stranger.call("login", "--url", url, *words, given=key).status == 0
    assert "demo" in stranger.text("operator", "accounts", "list")
    assert "ID" in stranger.text("jobs", "list")


def test_a_service_that_does_not_respond_is_reported_in_lines(stranger: Caller) -> None:
    called = stranger.call("jobs", "list", "--url", "http://127.0.0.1:9", "--key", "bl_1_x")

    assert (called.status, called.out) == (2, "")
    assert "bulklane: the next attempt follows in " in called.err
    last = called.err.splitlines()[-1]
    assert last.startswith("bulklane: no response from http://127.0.0.1:9: ")
    assert last.endswith("(does the service run, and is the URL right?)")


def test_jobs_are_listed_and_shown_as_the_api_returns_them(
    service: Service, caller: Caller, job_id: str
) -> None:
    assert caller.read("jobs", "show", job_id) == api(service, f"/v1/jobs/{job_id}")
    listed = caller.read("jobs", "list", "--state", "completed_with_errors", "--name", "import*")["data"]
    assert listed[0] == api(service, "/v1/jobs?limit=1&name=import*")["data"][0]
    assert job_id in caller.text("jobs", "list", "--operation", "contacts.upsert", "--limit", "1")
    assert "import 7" in caller.text("jobs", "show", job_id)
    assert "(unknown_job)" in caller.text("jobs", "show", "job_x", status=2)


def test_errors_and_results_are_tables_lines_or_files(caller: Caller, job_id: str, tmp_path: Path) -> None:
    table = caller.text("jobs", "errors", job_id)
    assert table.splitlines()[0].split() == ["INDEX", "FIELD", "CODE", "MESSAGE", "VALUE"]
    assert "phone_too_short" in table
    (error,) = map(json.loads, caller.text("jobs", "errors", job_id, "--json").splitlines())
    assert (error["index"], error["item"]["name"]) == (1, "Rui")
    limited = caller.call("jobs", "results", job_id, "--limit", "1")
    assert len(limited.out.splitlines()) == 2
    assert "there are more than 1" in limited.err
    file = tmp_path / "bad.ndjson"
    caller.text("jobs", "errors", job_id, "--to", str(file))
    assert json.loads(file.read_text())["error_code"] == "phone_too_short"
    assert "No such file or directory" in caller.text(
        "jobs", "errors", job_id, "--to", str(tmp_path / "no" / "bad.csv"), status=2
    )


def test_a_job_is_watched_retried_and_cancelled(caller: Caller, job_id: str) -> None:
    events = caller.call("jobs", "watch", job_id, "--json")
    assert events.status == 1
    assert json.loads(events.out.splitlines()[-1])["state"] == "completed_with_errors"
    assert "1 failed" in caller.text("jobs", "watch", job_id, status=1)
    assert "(job_ended)" in caller.text("jobs", "cancel", job_id, status=2)
    again = caller.read("jobs", "retry", job_id, status=1)
    assert (again["parent_id"], again["counts"]["failed"]) == (job_id, 1)
    assert caller.text("jobs", "retry", job_id, "--no-wait").startswith("job_")


def test_a_job_is_undone_after_a_look_at_what_that_would_do(service: Service, caller: Caller) -> None:
    with Bulklane(key=service.dev["api_key"], url=service.dev["url"]) as client:
        job_id = client.jobs.submit([{"phone": "+14155552698"}]).wait(SECONDS).id  # creates its contact
    tried = caller.read("jobs", "undo", job_id, "--dry-run")
    assert (tried["undoes"], tried["dry_run"], tried["counts"]["failed"]) == (job_id, True, 0)
    undone = caller.read("jobs", "undo", job_id, "--force")
    assert (undone["undoes"], undone["dry_run"], undone["state"]) == (job_id, False, "completed")
    assert undone["id"] in caller.text("jobs", "show", job_id, "--json")
    assert job_id in caller.text("jobs", "show", undone["id"])
    audit = caller.read("jobs", "audit", job_id)
    assert audit == api(service, f"/v1/jobs/{job_id}/audit")
    assert [entry["action"] for entry in audit["data"]] == ["submitted", "undone"]
    heading, *_, last = caller.text("jobs", "audit", job_id).splitlines()
    assert heading.split()[:4] == ["AT", "ACTION", "JOB", "BY"]
    assert last.split()[2:5] == ["undone", undone["id"], "key"]


def test_the_history_of_a_contact_has_jobs_and_requests_with_the_values(
    service: Service, caller: Caller
) -> None:
    with Bulklane(key=service.dev["api_key"], url=service.dev["url"]) as client:
        contact = client.contacts.create(name="Ana", phone="+14155552699")
        job = client.jobs.submit([{"phone": contact.phone, "name": "Bea\x1b[2J"}]).wait(SECONDS)
        client.contacts.change(contact.id, name="Cy")
        client.contacts.delete(contact.id)
    shown = caller.text("contacts", "history", contact.id)
    assert job.id in shown
    assert r'name: "Ana" -> "Bea\u001b[2J"' in shown
    assert '-> "Cy"' in shown
    entries = caller.read("contacts", "history", contact.id)["data"]
    assert entries == api(service, f"/v1/contacts/{contact.id}/history")["data"]
    limited = caller.text("contacts", "history", contact.id, "--limit", "1").splitlines()
    assert len(limited) == 2


async def test_a_job_that_waits_is_cancelled(service: Service, caller: Caller, job_id: str) -> None:
    async with service.locked_contact("+14155552671"):
        with Bulklane(key=service.dev["api_key"], url=service.dev["url"]) as client:
            job = client.jobs.submit(ROWS)
        assert caller.text("jobs", "cancel", job.id).startswith(f"cancelled {job.id}: its state is ")
    watched = caller.call("jobs", "watch", job.id)
    assert watched.status == 2
    assert f"{job.id} cancelled: 2 rows" in watched.out


def test_contacts_are_shown_without_commands_to_the_terminal_and_deleted(
    service: Service, caller: Caller, job_id: str
) -> None:
    (contact,) = caller.read("contacts", "list", "--search", "+14155552671")["data"]
    # the API shortens the times of contacts
    assert decode(Contact, contact) == decode(Contact, api(service, f"/v1/contacts/{contact['id']}"))
    shown = caller.text("contacts", "list", "--search", "+14155552671")
    assert "Ana\\x1b[2J" in shown
    assert "\x1b" not in shown
    assert "+14155552671" in caller.text("contacts", "show", contact["id"])
    assert "add --yes" in caller.text("contacts", "delete", contact["id"], status=2)
    assert caller.text("contacts", "delete", contact["id"], "--yes") == f"deleted {contact['id']}\n"
    assert "(unknown_contact)" in caller.text("contacts", "show", contact["id"], status=2)


def test_webhooks_are_made_tested_and_replayed(service: Service, caller: Caller) -> None:
    made = caller.read("webhooks", "create", "https://webhook.invalid/", "--event", "job.failed", "--ordered")
    assert made["secret"].startswith("whsec_")
    assert (made["events"], made["ordered"]) == (["job.failed"], True)
    assert "webhook.invalid" in caller.text("webhooks", "list")
    sent = caller.read("webhooks", "test", made["id"])
    assert caller.read("webhooks", "deliveries", made["id"])["data"][0]["id"] == sent["id"]
    assert "webhook.test" in caller.text("webhooks", "deliveries", made["id"], "--limit", "1")
    assert caller.read("webhooks", "replay", made["id"], "--since", "2026-01-01") == {"replayed": 0}
    assert "has not ended" in caller.text("webhooks", "replay", made["id"], sent["id"], status=2)
    for wrong in ([], [sent["id"], "--since", "2026-01-01"]):
        assert "not both" in caller.text("webhooks", "replay", made["id"], *wrong, status=2)
    assert "should be 'job.completed'" in caller.text(
        "webhooks", "create", "https://a.example", "--event", "job.x", status=2
    )
    assert httpx2.delete(
        f"{service.dev['url']}/v1/webhooks/{made['id']}",
        headers={"Authorization": f"Bearer {service.dev['api_key']}"},
    ).is_success


def test_an_account_manages_its_own_keys(service: Service, caller: Caller) -> None:
    created = caller.read("own-keys", "create", "--name", "nightly", "--scope", "read", "--days", "9")
    assert (created["scopes"], created["expires_at"] is None) == (["read"], False)
    reader = caller_of(service, BULKLANE_URL=service.dev["url"], BULKLANE_API_KEY=created["key"])
    assert "ID" in reader.text("jobs", "list")
    assert "(insufficient_scope)" in reader.text("own-keys", "list", status=2)
    called = caller.call("own-keys", "rotate", "nightly", "--grace-hours", "1")
    new_key = called.out.strip()
    assert "it cannot be shown again" in called.err
    assert "ID" in reader.text("jobs", "list")
    newer = caller_of(service, BULKLANE_URL=service.dev["url"], BULKLANE_API_KEY=new_key)
    assert "ID" in newer.text("jobs", "list")
    assert created["id"] in caller.text("own-keys", "list")
    assert created["key"] not in caller.text("own-keys", "list", "--json")
    assert caller.text("own-keys", "revoke", "nightly").startswith("revoked key_")
    for one in (reader, newer):
        assert "refuses the key" in one.text("jobs", "list", status=2)
    own = next(key["id"] for key in caller.read("own-keys", "list")["data"] if key["status"] == "active")
    assert "(own_key)" in caller.text("own-keys", "revoke", own, status=2)


def test_lists_and_labels_are_listed(service: Service, caller: Caller) -> None:
    with Bulklane(key=service.dev["api_key"], url=service.dev["url"]) as client:
        made = {"lists": client.lists.create("Spring").id, "labels": client.labels.create("VIP").id}
    for noun, one in made.items():
        assert one in caller.text(noun, "list")
        assert one in [found["id"] for found in caller.read(noun, "list")["data"]]


def test_the_operator_manages_accounts_and_keys(service: Service, caller: Caller) -> None:
    assert caller.read("operator", "accounts", "create", "acme", "--item-limit", "5")["limits"]["items"] == 5
    assert "(account_exists)" in caller.text("operator", "accounts", "create", "acme", status=2)
    assert "no limit" in caller.text("operator", "accounts", "set", "acme", "--item-limit", "0")
    assert caller.read("operator", "accounts", "list", "--search", "AC")["data"][0]["name"] == "acme"
    created = caller.read("operator", "keys", "create", "acme", "--name", "ci")
    own = {"BULKLANE_URL": service.dev["url"], "BULKLANE_API_KEY": created["key"]}
    assert caller_of(service, **own).read("jobs", "list")["data"] == []
    assert created["id"] in caller.text("operator", "keys", "list", "acme")
    assert caller.text("operator", "keys", "revoke", "acme", "ci") == f"revoked {created['id']} of acme\n"
    assert "refuses the key" in caller_of(service, **own).text("jobs", "list", status=2)
    assert "add --yes" in caller.text("operator", "accounts", "delete", "acme", status=2)
    assert caller.read("operator", "accounts", "delete", "acme", "--yes")["deleting_at"]


def test_the_operator_sees_all_jobs_and_what_runs(service: Service, caller: Caller, job_id: str) -> None:
    assert caller.read("operator", "jobs", "show", job_id)["account_name"] == "demo"
    assert job_id in caller.text("operator", "jobs", "list", "--account", "demo", "--limit", "1")
    assert "(job_ended)" in caller.text("operator", "jobs", "cancel", job_id, status=2)
    for noun in ("workers", "queue", "health", "slow"):
        assert caller.read("operator", noun)
    assert str(service.pids("worker")[0]) in caller.text("operator", "workers")
    assert "ready" in caller.text("operator", "health")
    assert "bells" in caller.text("operator", "queue")
    assert "FAILING JOB" in caller.text("operator", "slow")


def test_the_shell_completes_commands_operations_and_jobs(service: Service, job_id: str) -> None:
    def proposed(words: str) -> str:
        variables = {"_BULKLANE_COMPLETE": "complete_bash", "COMP_WORDS": words}
        count = str(len(words.split()) - 1)
        done = subprocess.run(
            [BIN / "bulklane"],
            env=environment(service.home, **variables, COMP_CWORD=count),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        return done.stdout

    assert proposed("bulklane jobs wa").split() == ["watch"]
    assert "labels.attach" in proposed("bulklane send -o labels.a")
    assert job_id in proposed(f"bulklane jobs show {job_id[:-1]}")


def test_a_reader_that_leaves_is_no_error(service: Service, job_id: str) -> None:
    done = subprocess.run(
        f"'{BIN}/bulklane' jobs results {job_id} --json | true",
        shell=True,
        env=environment(service.home),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    assert done.stderr == ""
