"""Deliver messages to webhooks: lease them, send them, record each attempt."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from schemas.ids import AccountId, show_message_id
from schemas.metrics import DELIVERY_FAULTS, EXPIRED_LEASES, WEBHOOK_ATTEMPTS, WEBHOOK_DURATION, WEBHOOKS_OFF
from schemas.traces import TraceSpan
from schemas.webhooks.event_types import DeliveryState
from schemas.webhooks.verdicts import Answer, Verdict, verdict_of, verdict_of_fault
from schemas.wire.webhooks.endpoints import attempt_json
from storage.background import beside, cancel, repeat
from storage.context import Context
from storage.failpoints import reach
from storage.pipeline.leases import RENEW_SECONDS, Watch, new_tokens
from storage.postgres.db_errors import is_ours
from storage.webhooks import sending
from storage.webhooks.sending import Lease, LeasedDelivery
from worker.webhooks.attempt_spans import note_answer, span_of_attempt
from worker.webhooks.messages import Message, headers_for, message_of
from worker.webhooks.poster import Poster

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0  # maximum delay of a delivery by a lost bell
SLOTS = 256  # deliveries that one worker sends at once
SHARE = 32  # of them for one account, and leased by one statement
STATEMENTS = 4  # of all attempts at once: chunks need the connections of the pool
END_SECONDS = 5.0  # for the attempts in progress when a worker stops
JOB_GONE = "the job was deleted because of its age before the message was sent"
FAULT = "an error of the service was in the way of this attempt: it is made again"
LAST_FAULT = "errors of the service were in the way of all attempts: replay the message later"


@asynccontextmanager
async def delivering(ctx: Context) -> AsyncIterator[None]:
    """Deliver while the body runs; then end the attempts in progress, or give them back."""
    async with Poster(ctx.settings) as poster:
        courier = Courier(ctx, poster)
        watch: Watch[Lease] = Watch()
        try:
            async with beside(
                repeat(EVERY_SECONDS, courier.take, what="delivering to webhooks", bell=ctx.webhook_bell),
                repeat(RENEW_SECONDS, courier.renew, what="renewing the leases of deliveries"),
                repeat(EVERY_SECONDS, partial(free_abandoned, ctx, watch), what="freeing deliveries"),
                repeat(EVERY_SECONDS, partial(follow_clock, ctx), what="following the clock of PostgreSQL"),
            ):
                yield
        finally:
            await courier.end()


async def free_abandoned(ctx: Context, watch: Watch[Lease]) -> None:
    """Give back the deliveries of dead workers. Their attempts may have arrived: they are made again."""
    abandoned = watch.abandoned(await sending.expired(ctx.pool))
    if abandoned and (freed := await sending.free(ctx.pool, abandoned)):
        EXPIRED_LEASES.labels("delivery").inc(freed)
        logger.warning("%d deliveries of dead workers are due again", freed)
        ctx.webhook_bell.set()


async def follow_clock(ctx: Context) -> None:
    """Make the deliveries due earlier if the clock of PostgreSQL was set back."""
    if step := await sending.follow_clock(ctx.pool):
        logger.warning("PostgreSQL's clock was set back by %.0f s: deliveries are due as much earlier", step)
        ctx.webhook_bell.set()


class Courier:
    """Sends the deliveries that this worker has leased, each in a task of its own."""

    def __init__(self, ctx: Context, poster: Poster) -> None:
        self._ctx = ctx
        self._poster = poster
        self._statements = asyncio.Semaphore(STATEMENTS)
        self._held: dict[asyncio.Task[None], LeasedDelivery] = {}
        self._ending = False

    async def take(self) -> None:
        """Lease what is due, as far as there are slots, and begin to send it.

        What one account has queued in large numbers is taken in between: no other account waits for it.
        """
        while not self._ending:
            more = await sending.take_in(self._ctx.pool)
            most = min(SHARE, SLOTS - len(self._held))
            leased = await sending.claim(self._ctx.pool, new_tokens(most), self._busy()) if most else []
            for delivery in leased:
                task = asyncio.create_task(self._deliver(delivery))
                self._held[task] = delivery
                task.add_done_callback(self._forget)
            if not more and len(leased) < max(most, 1):
                return

    async def renew(self) -> None:
        """Renew the leases of what is being sent."""
        await sending.renew(self._ctx.pool, self._held.values())

    async def end(self) -> None:
        """Wait for the attempts in progress, and give back those that take long."""
        self._ending = True
        if self._held:
            await asyncio.wait(list(self._held), timeout=END_SECONDS)
        left = dict(self._held)
        for task in left:
            await cancel(task)
        try:
            async with asyncio.timeout(END_SECONDS):
                await sending.free(self._ctx.pool, left.values())
        except Exception as error:  # the leases expire
            logger.info("%d deliveries stay leased for now: %s", len(left), error)

    def _busy(self) -> list[AccountId]:
        counts = Counter(delivery.account_id for delivery in self._held.values())
        return [account_id for account_id, count in counts.items() if count >= SHARE]

    def _forget(self, task: "asyncio.Task[None]") -> None:
        delivery = self._held.pop(task)
        self._ctx.webhook_bell.set()
        if not task.cancelled() and (error := task.exception()) is not None:  # the lease expires
            self._log(delivery, error)

    def _log(self, delivery: LeasedDelivery, error: BaseException) -> None:
        self._ctx.repeated.log(
            logging.WARNING,
            f"a delivery failed with {type(error).__name__}",
            "a delivery to the webhook %s of account %d failed with %s: %s",
            delivery.webhook_id,
            delivery.account_id,
            type(error).__name__,
            error,
            exc_info=error if is_ours(error) else None,
        )

    async def _deliver(self, delivery: LeasedDelivery) -> None:
        """Make one attempt and record it, or record the error of ours that was in its way."""
        try:
            await self._attempt(delivery)
        except Exception as error:
            self._log(delivery, error)
            await self._delay(delivery)

    async def _attempt(self, delivery: LeasedDelivery) -> None:
        at = datetime.now(UTC)
        async with self._statements:
            message = await message_of(self._ctx.pool, delivery)
        if message is None:
            gone = Answer(status=None, error=JOB_GONE, milliseconds=0)
            await self._record(delivery, at, gone, Verdict(state=DeliveryState.FAILED, ours=True))
            return
        with span_of_attempt(delivery, message.trace) as span:
            answer = await self._post(delivery, message, span)
            verdict = verdict_of(
                answer,
                tries=delivery.tries + 1,
                age_seconds=delivery.age_seconds,
                delays=self._ctx.settings.webhook_retry_seconds,
                chance=random.random(),  # noqa: S311 - it spreads retries, and protects nothing
            )
            WEBHOOK_DURATION.observe(answer.milliseconds / 1000)
            reach("webhook.sent", show_message_id(delivery.id))
            await self._record(delivery, at, answer, verdict)
        WEBHOOK_ATTEMPTS.labels(verdict.state).inc()

    async def _post(self, delivery: LeasedDelivery, message: Message, span: TraceSpan) -> Answer:
        headers = headers_for(delivery, message.body, time.time())
        if span.place is not None:
            headers |= span.place.headers
        answer = await self._poster.post(delivery.url, headers, message.body)
        note_answer(span, answer)
        return answer

    async def _delay(self, delivery: LeasedDelivery) -> None:
        """Record an error of ours. It is no failure of the endpoint, and has retries of its own."""
        DELIVERY_FAULTS.inc()
        verdict = verdict_of_fault(
            faults=delivery.faults + 1,
            delays=self._ctx.settings.webhook_retry_seconds,
            chance=random.random(),  # noqa: S311 - see above
        )
        text = FAULT if verdict.state is DeliveryState.WAITING else LAST_FAULT
        answer = Answer(status=None, error=text, milliseconds=0)
        await self._record(delivery, datetime.now(UTC), answer, verdict)

    async def _record(self, delivery: LeasedDelivery, at: datetime, answer: Answer, verdict: Verdict) -> None:
        attempt = attempt_json(
            at=at,
            status=answer.status,
            error=answer.error,
            milliseconds=answer.milliseconds,
            answer=answer.body,
        )
        async with self._statements:
            off = await sending.record(self._ctx.pool, delivery, verdict, attempt)
        if verdict.delay_seconds < EVERY_SECONDS:  # a longer one ends in a round of its own
            asyncio.get_running_loop().call_later(verdict.delay_seconds, self._ctx.webhook_bell.set)
        if off:
            WEBHOOKS_OFF.labels(off).inc()
            text = "the webhook %s of account %d was switched off: %s"
            logger.warning(text, delivery.webhook_id, delivery.account_id, off)
