"""Several processes over one store on which histories of waits are played, and the model beside them.

A process that crashes in the middle of an operation is replaced by a new one, and its client sends the same again.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from typing import Any

from msgspec import structs

from effects.clock import ManualClock
from effects.scripted import ScriptedPerformer
from engine.ports.ids import derived_id
from engine.ports.kinds import ARRIVALS, WAITS
from engine.ports.resolve import NotFound, resolve_profile
from engine.ports.store import Store
from engine.profile.document import Profile, WaitStub
from engine.profile.fold import fold
from engine.project.project import Project
from engine.search.query import AllOf
from engine.tracking.intake.payload import Incoming, Intake, Options, Refusal
from engine.tracking.operations.export import found_by
from engine.tracking.operations.forgetting import Forgetter
from engine.tracking.operations.unmerging import unmerge_served
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.tracker import Tracker
from engine.tracking.waits.resuming import Resuming
from engine.tracking.waits.timers import Timers
from engine.tracking.waits.waking import wake
from tests.identity.interleaving import CRASH, Crash, InterleavingStore
from tests.projects import SHOP, project
from tests.waits.model import LASTS, Model, Policy

BETWEEN = 137  # ms between two operations
TURNS = 30  # of timers, after which nothing may be due any more

WAITING = """
flow: {flow}
trigger: {{event: start-{flow}}}
while_waiting: {policy}
nodes:
  before: {{profile.append: {{traits.before: "{{{{ event.properties.name }}}}"}}, next: bought}}
  bought: {{wait.for: {{event: buy}}, timeout: {lasts}ms, next: {{arrived: took, timeout: late}}}}
  took: {{profile.append: {{traits.took: "{{{{ event.properties.name }}}}"}}}}
  late: {{profile.append: {{traits.late: "{{{{ event.properties.name }}}}"}}}}
"""
LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who: {profile.merge: {pii.email: "{{ event.properties.email }}"}}
"""
SEEN = """
flow: seen
trigger: {event: [buy, ping]}
nodes:
  count: {profile.increment: {traits.seen: 1}}
"""


Refresh = Callable[[], Awaitable[None]]


@cache
def the_project(policy: Policy) -> Project:
    """The project that all histories of a policy use."""
    waiting = [WAITING.format(flow=flow, policy=policy, lasts=ms) for flow, ms in LASTS.items()]
    return project(*waiting, LOGIN, SEEN)


class Process:
    """A process: it tracks events, resumes runs after its commits, and wakes due profiles."""

    def __init__(
        self, store: Any, clock: ManualClock, policy: Policy, secret: bytes, new_id: Callable[[], str]
    ) -> None:
        self.pipeline = Pipeline(the_project(policy), store, ScriptedPerformer(), clock, new_id)
        self.pipeline.loading.secret = self.pipeline.driver._secret = secret
        self.tracker = Tracker(self.pipeline)
        self.resuming = Resuming(self.pipeline)
        self.timers = Timers(self.pipeline, partial(wake, self.pipeline))


class World:
    """Processes over one store, which `stores` are views of, and the model. Ids and keys are this history's own."""

    def __init__(
        self, stores: Sequence[Store], secret: bytes, name: str, policy: Policy, refresh: Refresh | None = None
    ) -> None:
        self.secret, self.name, self.policy = secret, name, policy
        self._refresh = refresh  # lets searches find all that is committed, where they lag
        self.stores: list[Any] = [InterleavingStore(store, secret) for store in stores]
        self.store = self.stores[0]
        self.clock = ManualClock()
        self.model = Model(policy)
        self.forgotten: set[str] = set()
        self.ids: dict[str, str] = {}
        self._numbers = 0
        self.processes = [self._process(n) for n in range(2)]

    def _process(self, n: int) -> Process:
        store = self.stores[n % len(self.stores)]
        return Process(store, self.clock, self.policy, self.secret, self._new_id)

    def _new_id(self) -> str:
        self._numbers += 1
        return f"{self.name}-{self._numbers}"

    def id_of(self, session: str) -> str:
        """Return the id under which a session acts."""
        return self.ids.setdefault(session, derived_id(self.secret, SHOP.source, f"{self.name}/{session}"))

    async def people(self, id: str) -> frozenset[str]:
        """Return the ids of the profile that an id leads to now; the id alone before it is stored."""
        profile = await resolve_profile(self.store, id)
        return frozenset({id}) if profile is None else frozenset(profile.ids)

    # ---- operations -------------------------------------------------------------------------------------------------

    async def start(self, worker: int, crash: Crash | None, session: str, flow: str) -> None:
        """Send the event that begins a run."""
        id = self.id_of(session)
        if self.policy == "ignore":  # it also ignores while a run is there whose time has come
            await self.settle()
        ids, name = await self.people(id), self._new_id()
        if id not in self.forgotten:
            self.model.look(ids, self.clock.now())
            self.model.start(name, flow, id, ids, self.clock.now())
        await self._send(worker, crash, session, f"start-{flow}", name)

    async def buy(self, worker: int, crash: Crash | None, session: str, _more: None = None) -> None:
        """Send the event for which runs wait."""
        id = self.id_of(session)
        if id not in self.forgotten:
            ids = await self.people(id)
            self.model.look(ids, self.clock.now())
            self.model.buy(ids, self.clock.now())
        await self._send(worker, crash, session, "buy", self._new_id())

    async def login(self, worker: int, crash: Crash | None, session: str, email: str) -> None:
        """Prove an address, which joins the session with others that have proven it."""
        await self._send(worker, crash, session, "login", self._new_id(), email=f"{email}@{self.name}")
        await self._look_at_all()

    async def undo(self, worker: int, crash: Crash | None, session: str, number: int) -> None:
        """Undo one of the links of the profile."""
        id = self.id_of(session)
        profile = await resolve_profile(self.store, id)
        links = sorted(link.id for link in profile.links.values() if link.holds) if profile is not None else []
        if not links:
            return

        async def run(process: Process) -> None:
            with suppress(NotFound):
                await unmerge_served(process.pipeline, id, links[number % len(links)])

        await self._carry_out(worker, crash, run)
        await self._look_at_all()

    async def forget(self, worker: int, crash: Crash | None, session: str, _more: None = None) -> None:
        """Forget who has the session."""
        id = self.id_of(session)
        if await resolve_profile(self.store, id) is None:
            return
        ids, name = await self.people(id), f"forgetting {self._new_id()}"

        async def run(process: Process) -> None:
            pipeline = process.pipeline
            forgetter = Forgetter(pipeline.store, self.clock, pipeline, quiet_ms=0, pause=0)
            with suppress(NotFound):
                await forgetter.finish(await forgetter.one(name) or await forgetter.begin(id, name))

        await self._carry_out(worker, crash, run)
        self.model.forget(ids)
        self.forgotten |= ids

    async def advance(self, worker: int, crash: Crash | None, _session: str, ms: int) -> None:
        """Let time pass; then both processes look for what is due, side by side."""
        self.clock.advance(ms)
        self.model.pass_time(self.clock.now())
        other = self.processes[(worker + 1) % 2]
        await asyncio.gather(self._carry_out(worker, crash, _turn), _turn(other))

    async def settle(self) -> None:
        """Let all end that is due now."""
        for _ in range(TURNS):
            if self._refresh is not None:
                await self._refresh()
            woken = [await process.timers.turn(60, 10_000) for process in self.processes]
            for process in self.processes:
                await process.resuming.idle()
            if not any(woken):
                return
        raise AssertionError(f"profiles are still due after {TURNS} turns")

    async def _look_at_all(self) -> None:
        """Send an event of each session: what a merge has brought together is sorted out by the next unit."""
        for session, id in sorted(self.ids.items()):
            self.clock.advance(1)
            if id not in self.forgotten and await resolve_profile(self.store, id) is not None:
                self.model.look(await self.people(id), self.clock.now())
                await self._send(0, None, session, "ping", self._new_id())

    async def _send(
        self, worker: int, crash: Crash | None, session: str, type: str, name: str, **properties: str
    ) -> None:
        event = Incoming(0, f"event {name}", type, {"name": name, **properties}, {})
        intake = Intake(source=SHOP.source, session=f"{self.name}/{session}", events=(event,), options=Options())

        async def run(process: Process) -> None:
            try:
                await process.tracker.track(intake, SHOP)
            except Refusal as refusal:
                if refusal.kind != "forgotten" or self.id_of(session) not in self.forgotten:
                    raise

        await self._carry_out(worker, crash, run)

    async def _carry_out(self, worker: int, crash: Crash | None, run: Callable[[Process], Awaitable[None]]) -> None:
        process = self.processes[worker]
        if crash is None:
            await run(process)
            return
        CRASH.set(crash)
        crash.task = asyncio.create_task(_awaited(run(process)))
        CRASH.set(None)
        try:
            await crash.task
        except asyncio.CancelledError:
            await process.resuming.close()  # its process has ended
            self.processes[worker] = self._process(worker)
            await run(self.processes[(worker + 1) % 2])

    # ---- looking ----------------------------------------------------------------------------------------------------

    async def check(self) -> None:
        """Pending waits are each in the profile that has their id, once; no profile is due too late."""
        now = self.clock.now()
        self.model.pass_time(now)
        stubs: list[WaitStub] = []
        for profile in await self._profiles():
            stubs += profile.waits
            late = [stub for stub in profile.waits if profile.due is None or stub.due < profile.due]
            assert not late, f"{profile.id} is due at {profile.due}, too late for {late}"
            assert all(stub.of in profile.parts for stub in profile.waits), f"waits of others in {profile.id}"
        pending = [(stub.flow, stub.of, stub.due) for stub in stubs if not stub.arrived and stub.due > now]
        expected = [(wait.flow, wait.of, wait.due) for wait in self.model.waits if wait.end is None]
        assert Counter(pending) == Counter(expected)

    async def check_end(self) -> None:
        """Once all time has passed, each run has ended once, as the model says, in the part of its id."""
        await self.advance(0, None, "", 10 * max(LASTS.values()))
        await self.settle()
        await self.check()
        for profile in await self._profiles():
            assert not profile.waits, f"waits are left: {profile.waits}"
            assert self.forgotten.isdisjoint(profile.ids)
        for wait in self.model.waits:
            assert wait.end is not None
            lists = await self._lists(wait.of)
            found = {name: lists[name].count(wait.name) for name in ("before", "took", "late")}
            expected = {
                "before": int(wait.end != "gone"),
                "took": int(wait.end == "took"),
                "late": int(wait.end == "late"),
            }
            assert found == expected, f"{wait} has left {found}"
        left = await self._records()
        assert left == [], f"records are left: {left}"

    async def _profiles(self) -> list[Profile]:
        found = [await resolve_profile(self.store, id) for id in self.ids.values()]
        return list({profile.id: profile for profile in found if profile is not None}.values())

    async def _lists(self, id: str) -> dict[str, list[str]]:
        """Return what the runs under an id have left in its part."""
        profile = await resolve_profile(self.store, id)
        if profile is None or id not in profile.parts:
            return {"before": [], "took": [], "late": []}
        traits = fold(structs.replace(profile, id=id, parts={id: profile.parts[id]}, links={})).get("traits", {})
        return {name: list(traits.get(name, ())) for name in ("before", "took", "late")}

    async def _records(self) -> list[str]:
        """Return the ids of records of waits of this history that are left."""
        found: list[str] = []
        ids = set(self.ids.values())
        for kind in (WAITS, ARRIVALS):
            assert kind.searchable is not None
            records = found_by(self.store, kind.searchable, AllOf())
            found += [
                record.id async for record in records if not ids.isdisjoint({record.profile, *record.other_profiles})
            ]
        return found


async def _turn(process: Process) -> None:
    await process.timers.turn(60, 10_000)


async def _awaited(run: Awaitable[None]) -> None:
    await run
