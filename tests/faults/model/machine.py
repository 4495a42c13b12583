"""A state machine: random requests of one account, and workers that do one step at a time in any order."""

import json
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from schemas.ids import read_id, show_job_id
from schemas.operations import Operation
from storage.pipeline import finish
from storage.pipeline.chunks import Claim
from tests.faults.model.driver import Driver
from tests.faults.model.history import History, failed_items
from tests.faults.model.strategies import MOST_ITEMS, PHONES, PROPERTIES, bodies, jobs
from tests.faults.model.world import rest_body
from tests.model.contact import ModelContact
from tests.workers import claim_chunk
from worker.apply import apply_chunk
from worker.dry_run import dry_run_next
from worker.finish import finish_if_last
from worker.turn import take_turn

SMALL = st.integers(1, 4)
CHUNK_ITEMS = [1, 1, 2, 3, MOST_ITEMS, MOST_ITEMS]  # at most; with MOST_ITEMS a job has one chunk


class AccountMachine(Driver, RuleBasedStateMachine):
    """Requests over HTTP, and the steps of workers: claim, apply, die, finish. Chunks have a few items.

    After each step the model learns which chunks are applied. The results of each job, and whenever no job
    is left the stored contacts, must equal those of the model.
    """

    def __init__(self) -> None:
        super().__init__()
        self.claims: list[Claim] = []
        self.stale: list[Claim] = []  # claims of stopped workers, whose chunks others may claim

    @initialize()
    def open_account(self) -> None:
        """Create the account and everything that requests refer to."""
        self.client = self.world.make_client()
        self.targets = self.world.make_targets(self.client.account.id, PROPERTIES)
        self.history = History(self.targets.surroundings)

    @rule(data=st.data(), parallel=st.sampled_from([4, 4, 2, 1]), chunk_items=st.sampled_from(CHUNK_ITEMS))
    def submit(self, data: st.DataObject, parallel: int, chunk_items: int) -> None:
        """Submit a job of any operation."""
        job = data.draw(jobs(self.targets, self.history.account), "job")
        self.submit_job(job, {"parallel": parallel}, chunk_items)

    @precondition(lambda self: self.runs)
    @rule(chunks=SMALL)
    def claim(self, chunks: int) -> None:
        """Claim some chunks."""
        for _ in range(chunks):
            if (claim := self.world.run(claim_chunk(self.world.ctx))) is not None:
                self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def apply(self, data: st.DataObject) -> None:
        """Apply one of the claimed chunks: any of them."""
        self._apply(self.claims.pop(data.draw(st.integers(0, len(self.claims) - 1), "claim")))

    @precondition(lambda self: self.runs)
    @rule(chunks=SMALL)
    def work(self, chunks: int) -> None:
        """Claim and apply some chunks."""
        for _ in range(chunks):
            if (claim := self.world.run(claim_chunk(self.world.ctx))) is not None:
                self._apply(claim)

    @precondition(lambda self: self.runs)
    @rule()
    def take_turn(self) -> None:
        """Apply all that is due, as a worker does: small jobs are claimed, applied and ended together."""
        self.world.run(take_turn(self.world.ctx))
        self.learn()

    @precondition(lambda self: self.claims)
    @rule()
    def stop_worker(self) -> None:
        """The worker of a claim is stopped past its lease. Its chunk is free for others."""
        claim = self.claims.pop()
        self.world.free(claim)
        self.stale.append(claim)

    @precondition(lambda self: self.stale)
    @rule()
    def wake_worker(self) -> None:
        """A stopped worker continues with the claim that it has lost."""
        self._apply(self.stale.pop())

    @precondition(lambda self: self.runs)
    @rule()
    def finish(self) -> None:
        """Finish the jobs that have no chunk left, and run the dry runs that are due."""
        ctx = self.world.ctx
        for account_id, job_id in self.world.run(finish.unended(ctx.pool)):
            self.world.run(finish_if_last(ctx, account_id, job_id))
            self.learn()
        while not self.claims and self.world.run(dry_run_next(ctx)):
            self.learn()

    @rule(data=st.data())
    def change_contact(self, data: st.DataObject) -> None:
        """Create, change or delete a contact over REST."""
        phone = data.draw(PHONES, "phone")
        contact = self.history.account.with_phone(phone)
        if contact is None:
            self._create_contact(data, phone)
        else:
            changes = (self._patch_contact, self._patch_contact, self._delete_contact, self._put_opt_in)
            data.draw(st.sampled_from(changes), "change")(data, contact)

    def _create_contact(self, data: st.DataObject, phone: str) -> None:
        """POST /v1/contacts."""
        body = data.draw(bodies(self.targets, new=True), "body") | {"phoneNumber": phone}
        if not self.has_place(None, body["phoneNumber"]):
            return
        response = self.call("POST", "/v1/contacts", rest_body(body))
        if refusal := self.history.account.refusal(None, body):
            assert (response.status, response.error["code"]) == (409, refusal)
            return
        assert response.status == 201, response.body
        id_ = read_id("ctc", response.json["id"])
        assert id_ is not None
        self.history.change(lambda account: account.create(id_, body))

    def _patch_contact(self, data: st.DataObject, contact: ModelContact) -> None:
        """PATCH /v1/contacts/{id}."""
        body = data.draw(bodies(self.targets, new=False), "body")
        if "phoneNumber" in body and not self.has_place(contact, body["phoneNumber"]):
            return
        response = self.call("PATCH", self._path(contact), rest_body(body))
        if refusal := self.history.account.refusal(contact, body):
            assert (response.status, response.error["code"]) == (409, refusal)
            return
        assert response.status == 200, response.body
        phone = contact.phone
        self.history.change(lambda account: account.patch(phone, body))

    def _delete_contact(self, data: st.DataObject, contact: ModelContact) -> None:
        """DELETE /v1/contacts/{id}."""
        if not self.has_place(contact):
            return
        assert self.call("DELETE", self._path(contact)).status == 200
        phone = contact.phone
        self.history.change(lambda account: account.delete(phone))

    def _put_opt_in(self, data: st.DataObject, contact: ModelContact) -> None:
        """PUT an opt-in of a contact and a channel."""
        opted_in, by_contact = data.draw(st.booleans(), "opted in"), data.draw(st.booleans(), "by contact")
        channel = data.draw(st.sampled_from(self.targets.channels), "channel")
        if not self.has_place(contact):
            return
        body = {"opted_in": opted_in, "by": "contact" if by_contact else "account"}
        response = self.call("PUT", f"{self._path(contact)}/opt-ins/{channel}", json.dumps(body).encode())
        if opted_in and not by_contact and contact.opt_ins.get(channel) == (False, True):
            assert (response.status, response.error["code"]) == (409, "contact_opted_out")
            return
        assert response.status == 200, response.body
        phone = contact.phone
        self.history.change(
            lambda account: account.put_opt_in(phone, channel, opted_in=opted_in, by_contact=by_contact)
        )

    @precondition(lambda self: self.runs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Cancel a job that has not ended."""
        job_id = data.draw(st.sampled_from(list(self.runs)), "job")
        response = self.call("POST", f"/v1/jobs/{show_job_id(job_id)}/cancel", Prefer="wait=0")
        assert response.status == 200, response.body
        self.learn()

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        """Retry the failed items of a job that has ended."""
        job_id = data.draw(st.sampled_from(list(self.ended)), "job")
        run = self.ended[job_id]
        response = self.call("POST", f"/v1/jobs/{show_job_id(job_id)}/retry")
        if items := failed_items(run):
            operation = run.job.operation
            if operation is Operation.LISTS_OVERWRITE:
                operation = Operation.LISTS_ADD
            self.accepted(response, replace(run.job, operation=operation, items=items), 2)
        else:
            assert (response.status, response.error["code"]) == (409, "nothing_to_retry")

    def teardown(self) -> None:
        """Let workers do all that is left, then compare the final state."""
        if not hasattr(self, "history"):
            return
        for held in (*self.claims, *self.stale):
            self._apply(held)
        self.claims.clear()
        while self.runs:
            before = self._progress()
            while (claim := self.world.run(claim_chunk(self.world.ctx))) is not None:
                self._apply(claim)
            self.finish()
            assert self._progress() != before, f"nothing can be done for the jobs {list(self.runs)}"
        self.compare()

    def _apply(self, claim: Claim) -> None:
        self.world.run(apply_chunk(self.world.ctx, claim))
        self.learn()

    def _progress(self) -> tuple[int, int]:
        return len(self.runs), sum(len(run.applied) for run in self.runs.values())

    def _path(self, contact: ModelContact) -> str:
        """Return the path of a contact. The number stands for the id."""
        return f"/v1/contacts/{self.world.contact_id(self.client.account.id, contact.phone)}"
