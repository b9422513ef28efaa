"""Sending in one process: a sender and a lease for each queue of the project's targets."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from engine.ports.courier import Courier
from engine.ports.kinds import DELIVERIES
from engine.ports.lease import USUAL, Lease, Timing
from engine.ports.outbox import SELF, StoredDelivery, queue_of
from engine.ports.records import Changes, RecordWrite
from engine.ports.store import Store
from engine.ports.world import Clock
from engine.project.project import Project
from engine.project.target_limits import give_up_ms, rate_of, share_of
from engine.sending.changes import Keeping
from engine.sending.delivery_writes import DeliveryWrites
from engine.sending.due_search import DueSearch
from engine.sending.leases import Leases
from engine.sending.sender import QueueRules, QueueSender, Reports, Surroundings
from engine.sending.strays import STRAYS_SECONDS, Strays

LEASE: Final = "deliver/"
# The lock of the store keeps other processes away, so a lease there needs few renewals.
SOLE: Final = Timing(renew=60.0, valid=3_600.0)
STOP_SECONDS: Final = 5.0  # for requests under way to end and to be written, when the process stops
OWN_SIDE_BY_SIDE: Final = 16  # events for Headrace itself

Work = Callable[[], Awaitable[None]]


class OpenBreaker(Struct, frozen=True):
    """A target to which nothing is sent now, and for how many seconds."""

    target: str
    seconds: int


class Process(Struct, frozen=True, kw_only=True):
    """The ports and facts of the process that sends.

    `holder` names this start of the process (see `Lease`); `sole`: the store serves one process at a time.
    """

    store: Store
    courier: Courier
    clock: Clock
    holder: str
    reports: Reports
    sole: bool = False


class Sending:
    """The deliveries of a project, as far as this process sends them.

    `works` are to run until the process stops; then `close` ends what is under way and releases the leases.
    """

    def __init__(self, project: Project, process: Process) -> None:
        store, ticks, timing = process.store, process.clock.ticks, SOLE if process.sole else USUAL
        self._clock = process.clock
        self._writes = DeliveryWrites(store, process.reports.store)
        rules = dict(rules_of(project))
        self._leases = {
            queue: Lease(store, LEASE + queue, process.holder, ticks, sole=process.sole, timing=timing)
            for queue in rules
        }
        self._holding = Leases(self._leases, ticks, process.reports.store, sole=process.sole, renew=timing.renew)
        search = DueSearch(store, process.clock, shared=not process.sole)
        around = Surroundings(store, process.courier, process.clock, self._writes, process.reports, search)
        self._senders: Mapping[str, QueueSender] = {
            queue: QueueSender(queue, rules[queue], self._leases[queue], around) for queue in rules
        }
        self._strays = Strays(store, process.clock, self._writes, rules)
        self._reports = process.reports

    @property
    def works(self) -> dict[str, Work]:
        """The endless work of this process, by name: each is to run as a task."""
        return {
            "keeping leases": self._holding.run,
            "finding strays": self._find_strays,
            **{f"sending to {queue}": sender.run for queue, sender in self._senders.items()},
        }

    def committed(self, changes: Changes) -> None:
        """Take deliveries that this process has just committed, so that they need not be searched for."""
        for change in changes:
            if isinstance(change, RecordWrite) and change.kind is DELIVERIES:
                delivery = change.record
                if isinstance(delivery, StoredDelivery) and delivery.queue in self._senders:
                    self._senders[delivery.queue].offer(delivery)

    def open_breakers(self) -> list[OpenBreaker]:
        """Return the targets to which this process sends nothing now, since they fail."""
        now = self._clock.ticks()
        return [
            OpenBreaker(sender.rules.target, round(sender.breaker.opens_until - now))
            for sender in self._senders.values()
            if sender.lease.held and sender.breaker.is_open(now)
        ]

    async def close(self, seconds: float = STOP_SECONDS) -> None:
        """End what is under way, within so many seconds, and leave the queues to other processes."""
        await asyncio.gather(*(sender.drained(seconds) for sender in self._senders.values()))
        await self._writes.close()
        await self._holding.release()

    async def _find_strays(self) -> None:
        """Look after deliveries without a queue, in the one process that sends Headrace's own events."""
        while True:
            await asyncio.sleep(STRAYS_SECONDS)
            if self._leases[queue_of(SELF)].held:
                await self._holding.reported(self._strays.turn)


def rules_of(project: Project) -> Iterator[tuple[str, QueueRules]]:
    """Yield the queues of a project with their rules: each target's, and that of Headrace's own events."""
    window = project.settings.window_ms
    yield queue_of(SELF), QueueRules(SELF, OWN_SIDE_BY_SIDE, None, Keeping(window=window))
    for name, target in project.targets.items():
        whole = rate_of(target)
        rate = share_of(whole, target.shards) if whole is not None else None
        rules = QueueRules(name, target.concurrency, rate, Keeping(give_up_ms(target), window))
        for shard in range(target.shards):
            yield queue_of(name, shard), rules
