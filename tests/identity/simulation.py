"""A simulation of several processes: trackers over one store that histories are played on, and the model beside them.

Each has a view of the store of its own, where one is given.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

from effects.clock import ManualClock
from effects.scripted import ScriptedPerformer
from engine.ports.history import events_of
from engine.ports.ids import cause_of, derived_id
from engine.ports.records import IdentityKey
from engine.ports.resolve import NotFound, resolve_profile
from engine.ports.store import Store
from engine.profile.document import Profile
from engine.profile.fold import fold
from engine.profile.key import KeyRules
from engine.project.project import Project, Settings
from engine.project.source import Source
from engine.tracking.intake.payload import Incoming, Intake, Refusal
from engine.tracking.operations.forgetting import Forgetter
from engine.tracking.operations.unmerging import unmerge_served
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.tracker import Tracker
from tests.identity.model import Action, Alias, Forget, Identify, Joined, Model, Track, Unmerge, outcomes
from tests.projects import project

FLOWS = (
    """
    flow: identify
    trigger: {event: identify}
    nodes:
      who: {profile.merge: {pii.email: "{{ event.properties.email }}", pii.phone: "{{ event.properties.phone }}"}}
    """,
    """
    flow: alias
    trigger: {event: alias}
    nodes:
      who: {profile.alias: "{{ event.properties.other }}", next: {missing: nobody}}
      nobody: {log: nobody}
    """,
    """
    flow: track
    trigger: {event: track}
    nodes:
      count: {profile.increment: {traits.count: "{{ event.properties.by }}"}}
    """,
)
TRUST = Source(source="trust", identify="trust")
LINK = Source(source="link", identify="link")
SOURCES = {source.source: source for source in (TRUST, LINK)}
OFTEN = 0.5  # that something else goes first, where things are done at the same time

Session = tuple[str, str]  # source and name


@cache
def the_project() -> Project:
    """The project that all histories use."""
    return project(*FLOWS, sources=(TRUST, LINK), settings=Settings(keys=KeyRules(max_per_key=99)))


class Snapshot(NamedTuple):
    """The stored state: the profile of each id, each key, and the ids without a profile that have stored events."""

    people: dict[str, Profile | None]
    keys: dict[str, IdentityKey | None]
    late: frozenset[str]


class InterleavingStore:
    """A store that lets others go first, now and then, before it does what it is asked."""

    def __init__(self, store: Store, secret: bytes) -> None:
        self._store = store
        self._secret = secret
        self.chance: random.Random | None = None

    async def secret(self) -> bytes:
        """The one of all histories."""
        return self._secret

    async def expunge(self) -> None:
        """Does nothing: other tests look into the files, and on Elasticsearch this takes half a minute."""

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Awaitable[Any]] = getattr(self._store, name)

        async def later(*given: Any) -> Any:
            while self.chance is not None and self.chance.random() < OFTEN:  # noqa: ASYNC110
                await asyncio.sleep(0)
            return await method(*given)

        return later


class Simulation:
    """Trackers over one store, and the model of what they do. Sessions and keys are this history's own."""

    def __init__(
        self,
        stores: Sequence[Store],
        secret: bytes,
        name: str,
        *,
        workers: int = 3,
        claims_stand: bool = False,
        forgets: bool = True,
    ) -> None:
        self.name = name
        self.secret = secret
        self._stores: list[Any] = [InterleavingStore(store, secret) for store in stores]
        self.store = self._stores[0]
        self.clock = ManualClock()
        self.model = Model()
        self.keys: dict[str, str] = {}  # what a step is called that a key causes -> the key
        self._claims_stand = claims_stand
        self._forgets = forgets
        self._numbers = 0
        self._ids: dict[Session, str] = {}
        self._workers = [
            Tracker(
                Pipeline(the_project(), self._stores[n % len(stores)], ScriptedPerformer(), self.clock, self._new_id)
            )
            for n in range(workers)
        ]
        for worker in self._workers:
            worker.pipeline.loading.secret = worker.pipeline.driver._secret = secret

    def _new_id(self) -> str:
        self._numbers += 1
        return f"{self.name}-{self._numbers}"

    def id_of(self, session: Session) -> str:
        """The id under which a session acts."""
        if session not in self._ids:
            self._ids[session] = derived_id(self.secret, session[0], f"{self.name}/{session[1]}")
        return self._ids[session]

    # ---- what can be done: as the model has it, and in the system ---------------------------------------------------

    def track(self, session: Session, by: int) -> tuple[Action, Callable[[int], Awaitable[None]]]:
        """Count some tenths: sums of decimals must be exact, too."""
        return Track(self.id_of(session), by), lambda worker: self._send(worker, session, "track", by=by / 10)

    def identify(self, session: Session, **keys: str) -> tuple[Action, Callable[[int], Awaitable[None]]]:
        """Bring keys."""
        values = {path: f"{value}@{self.name}" for path, value in keys.items()}
        causes = {cause_of(self.secret, f"pii.{path}", value): f"pii.{path}={value}" for path, value in values.items()}
        self.keys.update(causes)
        action = Identify(self.id_of(session), tuple(causes), session[0] == "trust")
        return action, lambda worker: self._send(worker, session, "identify", **values)

    def alias(self, session: Session, other: Session) -> tuple[Action, Callable[[int], Awaitable[None]]]:
        """Name another id."""
        action = Alias(self.id_of(session), self.id_of(other), session[0] == "trust")
        return action, lambda worker: self._send(worker, session, "alias", other=self.id_of(other))

    def unmerge(self, step: str) -> tuple[Action, Callable[[int], Awaitable[None]]]:
        """Undo a step."""
        joined = self.model.links[step]
        id = joined.left if joined.left in self.model.counts else joined.right
        return Unmerge(step), lambda worker: self._unmerge(worker, id, step)

    def forget(self, id: str) -> tuple[Action, Callable[[int], Awaitable[None]]]:
        """Forget who has an id; in a history that does not, count in place of that."""
        if not self._forgets:
            session = next(session for session in self._ids if self._ids[session] == id)
            return self.track(session, 1)
        return Forget(id), lambda worker: self._forget(worker, id)

    async def _forget(self, worker: int, id: str) -> None:
        pipeline = self._workers[worker % len(self._workers)].pipeline
        forgetter = Forgetter(pipeline.store, self.clock, pipeline, quiet_ms=0, pause=0)
        with suppress(NotFound):  # another worker was faster
            await forgetter.finish(await forgetter.begin(id, self._new_id()))

    async def _send(self, worker: int, session: Session, type: str, **properties: Any) -> None:
        event = Incoming(0, None, type, properties, {})
        intake = Intake(source=session[0], session=f"{self.name}/{session[1]}", events=(event,))
        try:
            await self._workers[worker % len(self._workers)].track(intake, SOURCES[session[0]])
        except Refusal as refusal:
            if refusal.kind != "forgotten":
                raise

    async def _unmerge(self, worker: int, id: str, step: str) -> None:
        with suppress(NotFound):  # it has been forgotten meanwhile
            await unmerge_served(self._workers[worker % len(self._workers)].pipeline, id, step)

    async def do(self, worker: int, doing: tuple[Action, Callable[[int], Awaitable[None]]]) -> None:
        """Do one thing."""
        self.clock.advance(1)
        action, run = doing
        await run(worker)
        self.model.do(action)

    async def at_once(self, doings: Sequence[tuple[Action, Callable[[int], Awaitable[None]]]], seed: int) -> None:
        """Do actions concurrently, by all workers; the result must be that of some order of them."""
        self.clock.advance(1)
        chance = random.Random(seed)
        for store in self._stores:
            store.chance = chance
        await asyncio.gather(*[run(worker) for worker, (_, run) in enumerate(doings)])
        for store in self._stores:
            store.chance = None
        errors = []
        seen = await self.look()
        for after in outcomes(self.model, [action for action, _ in doings]):
            if self._claims_stand:
                _adopt(after, seen)
            error = self.wrong(after, seen)
            if not error:
                self.model = after
                return
            errors.append(error)
        raise AssertionError(f"no order of {[action for action, _ in doings]} has the stored result: {errors}")

    # ---- looking ----------------------------------------------------------------------------------------------------

    async def look(self) -> Snapshot:
        """All that there is."""
        # First the profiles: what their last units have left to be written is finished by that.
        people = {id: await resolve_profile(self.store, id) for id in self._ids.values()}
        keys = {cause: await self.store.key(name) for cause, name in self.keys.items()}
        gone = [id for id, profile in people.items() if profile is None]
        return Snapshot(people, keys, frozenset([id for id in gone if await self.store.events_of(id, 1)]))

    def wrong(self, model: Model, seen: Snapshot) -> list[str]:
        """Return the differences from the model, in words."""
        error: list[str] = []
        for cause, (owner, claim) in model.owners.items():
            key = seen.keys[cause]
            if key is None or (key.id, key.claim) != (owner, claim):
                error.append(f"the key {cause} is {key}, not of {owner} (a claim: {claim})")
        error += [f"{id} is still known" for id in model.forgotten if seen.people[id] is not None or id in seen.late]
        for id in model.counts:
            profile = seen.people[id]
            error += [f"no profile has the id {id}"] if profile is None else _differs(model, id, profile)
        return error

    async def check(self) -> None:
        """All that there is fits the model, the events, too; and all ids of a profile lead to the same."""
        seen = await self.look()
        error = self.wrong(self.model, seen)
        assert not error, error
        for together in {self.model.together(id) for id in self.model.counts}:
            profile, *others = [seen.people[id] for id in together]
            assert profile is not None
            assert others == [profile] * len(others)
            expected = sum(self.model.events[each] for each in together)
            found = await events_of(self.store, profile, 100)
            assert len(found) == len({event.id for event in found}) == expected


def _adopt(model: Model, seen: Snapshot) -> None:
    """Take over steps between ids that are together anyway.

    Where a merge is claimed before it is committed, the claim stands, though the unit runs again and joins the ids
    for another cause by then.
    """
    for id in model.counts:
        profile = seen.people[id]
        for step in profile.links.values() if profile is not None else ():
            if step.id not in model.links and not step.undone and step.left in model.together(step.right):
                model.links[step.id] = Joined(step.left, step.right, step.cause, step.claim)


def _differs(model: Model, id: str, profile: Profile) -> list[str]:
    together = model.together(id)
    steps = {
        (name, step.claim, step.undone)
        for name, step in model.links.items()
        if step.left in together or step.right in together
    }
    kept = {(step.id, step.claim, step.undone) for step in profile.links.values()}
    error = []
    if frozenset(profile.ids) != together:
        error.append(f"{id} is {sorted(profile.ids)}, not {sorted(together)}")
    if kept != steps:
        error.append(f"the steps of {id} are {sorted(kept)}, not {sorted(steps)}")
    counted = fold(profile).get("traits", {}).get("count", 0)
    if counted != model.count(id) / 10:
        error.append(f"{id} counts {counted}, not {model.count(id)} tenths")
    return error
