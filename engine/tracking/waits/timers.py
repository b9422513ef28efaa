"""Timers: the profiles that are due are woken, since time alone ends their waits or changes their segments.

There are no documents of timers: a profile's `due` is the earliest time at which anything happens to it, and stores
find due profiles by an index. To wake a profile is a unit like any other: it reads the profile as it is then, so no
harm is done if it is found too early, or by several processes at once. The lease only saves look-ups.

A turn, once a second
---------------------
1. The profiles whose time has come within a minute after this process committed a wait of them. A store may find them
   late: Elasticsearch by a refresh. The process that committed them wakes them, with or without the lease.
2. With the lease: the profiles that the store finds, those due longest first. At most `most` of them and for about so
   many seconds; some side by side. Where visitors' events are being processed, most of the time is left to them.

Failures
--------
* `Unavailable`: the turn ends; the next one finds the profiles again.
* `Contention`, and an error in waking one profile: it is put off for `PUT_OFF_SECONDS` and does not hold up the others.
  An error is raised at the end of the turn, for the log.
* After an outage of the store, events may wait in the spool that came before: no profile is woken until it is drained.
* The wall clock decides what is due. A clock that is set back makes timers late by as much, one that is set forward
  early, never twice. A jump is reported; durations go by a clock that does not jump.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from heapq import heappop, heappush
from typing import Final, Protocol

from engine.ports.records import Changes, RecordWrite
from engine.ports.store import Contention, Unavailable
from engine.ports.waiting_run import WaitingRun
from engine.tracking.pipeline.pipeline import Pipeline

BATCH: Final = 100  # profiles that are asked of the store at a time
SIDE_BY_SIDE: Final = 16  # units: they share commits
NEAR_MS: Final = 60_000  # waits that end within this time are remembered
MAX_NEAR: Final = 10_000  # that are remembered
PUT_OFF_SECONDS: Final = 5.0
MAX_PUT_OFF: Final = 1_000  # profiles
VISITORS_SHARE: Final = 0.75  # of the time, while events of visitors are processed
LONGEST_PAUSE: Final = 0.25  # seconds that visitors get at a time
JUMP_MS: Final = 10_000

Wake = Callable[[str], Awaitable[bool]]  # does all that is due for a profile; returns whether that changed anything
ReportJump = Callable[[int, int], None]  # with the wall clock's time as it was expected and as it is, in ms


class Held(Protocol):
    """The side of a lease that timers need: see `Lease`."""

    @property
    def held(self) -> bool:
        """Whether this process holds it now."""


def report_nothing(expected: int, found: int) -> None:
    """Do nothing: for callers that need no report."""


class Timers:
    """The timers of one process. Raises `Unavailable`.

    Without a `lease` the process is alone. `visitors` says whether events of visitors are processed at the moment, and
    `held_up` whether the spool has entries.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        wake: Wake,
        lease: Held | None = None,
        *,
        visitors: Callable[[], bool] = lambda: False,
        held_up: Callable[[], bool] = lambda: False,
        report_jump: ReportJump = report_nothing,
    ) -> None:
        self._pipeline = pipeline
        self._store = pipeline.store
        self._clock = pipeline.clock
        self._wake = wake
        self._lease = lease
        self._visitors = visitors
        self._held_up = held_up
        self._report_jump = report_jump
        self._near: list[tuple[int, str]] = []  # a heap of committed waits: due (ms) and profile
        self._put_off: dict[str, float] = {}  # profiles, until when (ticks)
        self._told: tuple[int, float] | None = None  # wall clock and ticks at the last turn

    def remember(self, changes: Changes) -> None:
        """Note the profiles of waits that this process has just committed and that end soon; for `Pipeline.listeners`.

        The store finds the others.
        """
        soon = self._clock.now() + NEAR_MS
        for change in changes:
            record = change.record if isinstance(change, RecordWrite) else None
            if isinstance(record, WaitingRun) and record.due <= soon and len(self._near) < MAX_NEAR:
                heappush(self._near, (record.due, record.profile))

    async def turn(self, seconds: float, most: int, *, search: bool = True) -> int:
        """Wake profiles that are due, at most `most`, for about so many seconds. Returns how many.

        With `search` the store is asked for them, if the lease is held; else only those are woken that are remembered.
        """
        self._compare_clocks()
        if self._held_up():
            return 0
        ticks = self._clock.ticks()
        self._put_off = {id: until for id, until in self._put_off.items() if until > ticks}
        done, errors = set[str](), list[Exception]()
        await self._wake_all(self._near_due(most), done, errors)
        if search:
            await self._wake_found(seconds, most, done, errors)
        if errors:
            raise errors[0]
        return len(done)

    async def _wake_found(self, seconds: float, most: int, done: set[str], errors: list[Exception]) -> None:
        end, first = self._clock.ticks() + seconds, len(done)
        while len(done) < most and (len(done) == first or self._clock.ticks() < end):
            if self._lease is not None and not self._lease.held:
                return
            known = len(done) + len(self._put_off)  # these may still be found for a moment
            count = min(BATCH, most - len(done))
            ids = await self._store.due(self._clock.now(), known + count)
            fresh = [id for id in ids if id not in done and id not in self._put_off][:count]
            if not fresh:
                return
            await self._wake_all(fresh, done, errors)

    async def _wake_all(self, ids: Iterable[str], done: set[str], errors: list[Exception]) -> None:
        """Wake profiles, some side by side, in their order. Adds them to `done`, and errors of single ones to `errors`.

        Raises `Unavailable` once all that began with the failed one have ended.
        """
        todo = list(ids)
        for start in range(0, len(todo), SIDE_BY_SIDE):
            some, began = todo[start : start + SIDE_BY_SIDE], self._clock.ticks()
            found = await asyncio.gather(*[self._wake(id) for id in some], return_exceptions=True)
            done.update(some)
            away: Unavailable | None = None
            for id, each in zip(some, found, strict=True):
                if isinstance(each, BaseException):
                    if isinstance(each, Unavailable) and not isinstance(each, Contention):
                        away = each
                        continue
                    if not isinstance(each, Exception):
                        raise each
                    self._put_off_for(id)
                    errors += [] if isinstance(each, Contention) else [each]
            if away is not None:
                raise away
            if self._visitors():
                took = self._clock.ticks() - began
                await asyncio.sleep(min(took * VISITORS_SHARE / (1 - VISITORS_SHARE), LONGEST_PAUSE))

    def _put_off_for(self, id: str) -> None:
        if len(self._put_off) < MAX_PUT_OFF:
            self._put_off[id] = self._clock.ticks() + PUT_OFF_SECONDS

    def _near_due(self, most: int) -> list[str]:
        """Return profiles that are remembered and due now, each once, at most `most`."""
        now, found = self._clock.now(), dict[str, None]()
        while self._near and self._near[0][0] <= now and len(found) < most:
            _, id = heappop(self._near)
            if id not in self._put_off:
                found[id] = None
        return list(found)

    # ---- the clock --------------------------------------------------------------------------------------------------

    def _compare_clocks(self) -> None:
        now, ticks = self._clock.now(), self._clock.ticks()
        if self._told is not None:
            expected = self._told[0] + round((ticks - self._told[1]) * 1000)
            if abs(now - expected) > JUMP_MS:
                self._report_jump(expected, now)
        self._told = now, ticks
