"""A store that goes away and comes back, and a collector that has a spool for that time."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from effects.clock import ManualClock
from effects.ids import new_id
from effects.scripted import ScriptedPerformer
from engine.ports.records import Unit
from engine.ports.spool import Spool
from engine.ports.store import Store, Unavailable
from engine.project.project import Project
from engine.tracking.intake.admission import admit
from engine.tracking.intake.payload import read_track
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.spool.spooling import SpoolingTracker
from tests.engine.tracking.collector import Collector

ALWAYS_THERE = frozenset({"close"})


class AwayStore:
    """Delegates to a store, until it is `away`.

    `meanwhile` is done before the next commit. `fails` are failures of the next commits: None for one that is written
    all the same, but its caller does not learn of it.
    `refused` holds event types and profile ids; units with one of them fail by that exception.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.away = False
        self.fails: list[Exception | None] = []
        self.refused: dict[str, Exception] = {}
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        self.commits = 0
        self.called = Counter[str]()  # methods, while it was there

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)
        if name in ALWAYS_THERE:
            return method

        async def call(*args: Any, **named: Any) -> Any:
            self._check()
            self.called[name] += 1
            return await method(*args, **named)

        return call

    async def ready(self) -> str | None:
        return "it is away" if self.away else await self.store.ready()

    async def commit(self, unit: Unit) -> None:
        self._check()
        self.commits += 1
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        for name in (*(event.type for event in unit.events), *(write.profile.id for write in unit.profiles)):
            if name in self.refused:
                raise self.refused[name]
        failure = self.fails.pop(0) if self.fails else self
        if isinstance(failure, Exception):
            raise failure
        await self.store.commit(unit)
        if failure is None:
            raise Unavailable("the connection broke before the answer came")

    def _check(self) -> None:
        if self.away:
            raise Unavailable("it is away")


class Shop(Collector):
    """A collector over such a store and a spool. Begin a second one over the same spool as another process would."""

    def __init__(self, project: Project, store: Store, spool: Spool, keys: dict[str, str] | None = None) -> None:
        self.keys = keys or {}
        self.clock = ManualClock()
        self.away = store if isinstance(store, AwayStore) else AwayStore(store)
        self.store = self.away.store  # always there, for looking
        self.spool = spool
        self.pipeline = Pipeline(project, self.away, ScriptedPerformer(), self.clock, new_id)
        self.tracker: SpoolingTracker = SpoolingTracker(self.pipeline, spool)
        self._started = False

    async def start(self) -> None:
        if not self._started:
            self._started = True
            await self.tracker.start()

    async def track(
        self, body: dict[str, Any], *, profile_less: bool = False, debug: bool | str = True
    ) -> dict[str, Any]:
        await self.start()
        body = {**body, "options": {"debugger": debug, **body.get("options", {})}}
        intake = read_track(msgspec.json.encode(body), profile_less=profile_less)
        source = admit(self.pipeline.project.sources, intake.source, self.keys.get(intake.source), None)
        answer = await self.tracker.track(intake, source)
        return msgspec.json.decode(msgspec.json.encode(answer.body))

    async def back(self) -> None:
        """The store is back, and everything that waits is brought to it."""
        self.away.away = False
        await self.start()
        drained = await self.tracker.drain.run()
        assert (drained.reason, self.spool.entries) == (None, 0)
