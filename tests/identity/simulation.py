"""A simulation of several processes: trackers over one store that histories are played on, and the model beside them.

Each has a view of the store of its own, where one is given. A process that crashes in the middle of an operation is
replaced by a new one, and its client sends the same again.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from effects.clock import ManualClock
from effects.scripted import ScriptedPerformer
from engine.ports.history import events_of
from engine.ports.ids import cause_of, derived_id
from engine.ports.resolve import NotFound, resolve_profile
from engine.ports.store import Store
from engine.profile.document import Scalar
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.tracking.intake.payload import Incoming, Intake, Options, Refusal
from engine.tracking.operations.forgetting import Forgetter
from engine.tracking.operations.unmerging import unmerge_served
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.tracker import Tracker
from tests.identity.flows import PATHS, SOURCES, Sender, the_project
from tests.identity.interleaving import CRASH, Crash, InterleavingStore
from tests.identity.model import EXCLUSIVE, Action, Event, Fact, Forget, Kind, Model, Undo, Verdict, outcomes, split_key
from tests.identity.stored import Snapshot, differences

BETWEEN = 1000  # ms between two operations


class Answered(NamedTuple):
    """The answer to the sender of an event under `id`: the body, or the kind of the refusal.

    None if it was sent a second time.
    """

    id: str
    answer: dict[str, Any] | str | None


Run = Callable[[int], Awaitable[None]]
Doing = tuple[Action, Run]


@dataclass
class Simulation:
    """Trackers over one store, and the model of what they do. Senders and keys are this history's own."""

    stores: Sequence[Store]
    secret: bytes
    name: str
    most_per_key: int = 99
    forgets: bool = True
    processes: int = 2
    answers: list[Answered | None] = field(default_factory=list)  # by operation
    verdicts: list[list[Verdict]] = field(default_factory=list)  # of the model, by operation done alone
    times_vary: bool = False  # whether a crash, or others at once, decided at which time something was stored
    models: list[Model] = field(default_factory=list)  # by operation, after it or the batch that it is in
    undone: dict[int, Undo] = field(default_factory=dict)  # by operation: the link that was chosen
    handed_over: dict[int, bool] = field(default_factory=dict)  # by operation: whether it was
    ids: dict[Sender, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stores: list[Any] = [InterleavingStore(store, self.secret) for store in self.stores]
        self.store = self._stores[0]
        self.clock = ManualClock()
        self.model = Model(self.most_per_key)
        self._keys: set[str] = set()
        self._acting: dict[Sender, Sender] = {}  # sessions that were handed over
        self._numbers = 0
        self._workers = [self._worker(n) for n in range(self.processes)]

    def _worker(self, n: int) -> Tracker:
        store = self._stores[n % len(self._stores)]
        pipeline = Pipeline(the_project(self.most_per_key), store, ScriptedPerformer(), self.clock, self._new_id)
        pipeline.loading.secret = pipeline.driver._secret = self.secret
        return Tracker(pipeline)

    def _new_id(self) -> str:
        self._numbers += 1
        return f"{self.name}-{self._numbers}"

    def id_of(self, sender: Sender) -> str:
        """The id under which a sender acts now."""
        return self.own_id(self._acting.get(sender, sender))

    def own_id(self, sender: Sender) -> str:
        """The id under which a sender acts at first."""
        if sender not in self.ids:
            if sender.visitor or sender.user:
                visitor = f"{self.name}/{sender.visitor}" if sender.visitor else ""
                user = f"{sender.user}@{self.name}" if sender.user else ""
                self.ids[sender] = derived_id(self.secret, sender.source, "visitor", visitor, user)
            else:
                self.ids[sender] = derived_id(self.secret, sender.source, f"{self.name}/{sender.session}")
        return self.ids[sender]

    # ---- what can be done: as the model has it, and in the system ---------------------------------------------------

    def track(self, at: int, sender: Sender, by: int) -> Doing:
        """Count some tenths."""
        return self._event(sender, by=by), lambda worker: self._send(worker, at, sender, "track", by=by / 10)

    def say(self, at: int, sender: Sender, name: str) -> Doing:
        """Write a value."""
        action = self._event(sender, says=(("traits.name", name),))
        return action, lambda worker: self._send(worker, at, sender, "say", name=name)

    def conclude(self, at: int, sender: Sender, _more: None = None) -> Doing:
        """Copy what shows into the part of the sender."""
        return self._event(sender), lambda worker: self._send(worker, at, sender, "conclude")

    def identify(self, at: int, sender: Sender, more: tuple[dict[str, str], tuple[str, ...]]) -> Doing:
        """Bring keys, of which a user token proves some."""
        keys, by_token = more
        values = {name: f"{value}@{self.name}" for name, value in keys.items()}
        named = {name: f"{PATHS[name]}={value}" for name, value in values.items()}
        kinds: dict[str, Kind] = {
            name: "proof" if sender.trusted or name in by_token else "claim" for name in sorted(keys)
        }
        self._keys |= set(named.values())
        by_user = "customer" in by_token and keys.get("customer") == sender.user  # then it proves the user, too
        action = self._event(sender, by_user, keys=tuple((named[name], kind) for name, kind in kinds.items()))
        proven: dict[str, Scalar] = {PATHS[name]: values[name] for name in by_token if name in keys}
        type = "customer" if "customer" in keys else "identify"
        return action, lambda worker: self._send(worker, at, sender, type, proven, **values)

    def rename(self, at: int, sender: Sender, previous: str) -> Doing:
        """Name an earlier user id, where the sender names a user."""
        if not sender.user:
            return self.track(at, sender, 1)
        named = f"{EXCLUSIVE}={previous}@{self.name}"
        self._keys.add(named)
        action = self._event(sender, previous=named)
        return action, lambda worker: self._send(worker, at, sender, "track", previous=f"{previous}@{self.name}", by=0)

    async def hand_over(self, at: int, sender: Sender, customer: str) -> Doing:
        """Hand a session over to another person, unless the profile is that one's."""
        before, value = self.id_of(sender), f"{customer}@{self.name}"
        profile = await resolve_profile(self.store, before)
        shown = fold(profile).get("traits", {}).get("customer") if profile is not None else None
        self.handed_over[at] = shown != value and before not in self.model.forgotten
        action = self._event(sender)
        if self.handed_over[at]:
            part = profile.parts.get(before) if profile is not None else None
            device = (part.device if part is not None else "") or before
            after = Sender(sender.source, f"{sender.session}>{customer}")
            id = derived_id(self.secret, sender.source, "handed over", device, EXCLUSIVE, value)
            user = f"{EXCLUSIVE}={value}"
            self._keys.add(user)
            self.ids[after] = id
            if id not in self.model.forgotten:
                self._acting[sender] = after
            action = Event(id, device=device, user=user, user_kind="proof" if sender.trusted else "claim")
        return action, lambda worker: self._send(worker, at, sender, "hand-over", under=action.id, customer=value)

    def alias(self, at: int, sender: Sender, other: Sender) -> Doing:
        """Name another id."""
        id = self.id_of(other)
        action = self._event(sender, other=id, other_kind="proof" if sender.trusted else "claim")
        return action, lambda worker: self._send(worker, at, sender, "alias", other=id)

    async def undo(self, at: int, number: int) -> Doing:
        """Undo one of the links that are stored now; without any, do nothing."""
        links = sorted({fact for id in self.model.counts for fact in await self._stored_links(id)})
        self.undone[at] = Undo(links[number % len(links)]) if links else Undo(Fact("", "", "claim"))
        return self.undo_again(self.undone[at])

    def undo_again(self, action: Undo) -> Doing:
        """Undo a link, if it is stored."""
        return action, lambda worker: self._undo(worker, action.fact)

    async def _stored_links(self, id: str) -> dict[Fact, str]:
        """The links of the profile that an id leads to, by what they say, with their ids."""
        profile, names = await resolve_profile(self.store, id), self._things()
        found = profile.links.values() if profile is not None else ()
        return {Fact(link.left, names.get(link.right, link.right), link.kind): link.id for link in found}

    def forget(self, sender: Sender) -> Doing:
        """Forget who has an id."""
        return Forget(self.id_of(sender)), lambda worker: self._forget(worker, self.id_of(sender))

    def _event(self, sender: Sender, user_proven: bool = False, **more: Any) -> Event:
        """An event of the sender, as the model has it."""
        if not sender.user:
            return Event(self.id_of(sender), **more)
        device = self.id_of(Sender(sender.source, sender.session, sender.visitor)) if sender.visitor else ""
        user = f"{EXCLUSIVE}={sender.user}@{self.name}"
        self._keys.add(user)
        kind: Kind = "proof" if sender.trusted or user_proven else "claim"
        return Event(self.id_of(sender), device=device, user=user, user_kind=kind, **more)

    async def _send(
        self,
        worker: int,
        at: int,
        sender: Sender,
        type: str,
        proven: dict[str, Scalar] | None = None,
        previous: str | None = None,
        under: str | None = None,
        **properties: Any,
    ) -> None:
        again, id = self.answers[at] is not None, under or self.id_of(sender)
        self.answers[at] = Answered(id, None)
        event = Incoming(0, f"{self.name}-event-{at}", type, properties, {})
        intake = Intake(
            source=sender.source,
            session=None if sender.visitor or sender.user else f"{self.name}/{sender.session}",
            visitor=f"{self.name}/{sender.visitor}" if sender.visitor else None,
            user=f"{sender.user}@{self.name}" if sender.user else None,
            previous=previous,
            events=(event,),
            options=Options(profile=True),
            proven=proven or {},
        )
        try:
            body = (await self._workers[worker].track(intake, SOURCES[sender.source])).body
            self.answers[at] = Answered(id, None if again else body)
        except Refusal as refusal:
            if refusal.kind != "forgotten":
                raise
            self.answers[at] = Answered(id, None if again else refusal.kind)

    async def _undo(self, worker: int, fact: Fact) -> None:
        id = fact.left if fact.left in self.model.counts else fact.right
        link = (await self._stored_links(id)).get(fact)
        if link is not None:
            with suppress(NotFound):  # it has been forgotten meanwhile
                await unmerge_served(self._workers[worker].pipeline, id, link)

    async def _forget(self, worker: int, id: str) -> None:
        pipeline = self._workers[worker].pipeline
        forgetter = Forgetter(pipeline.store, self.clock, pipeline, quiet_ms=0, pause=0)
        name = f"{self.name}-{id}"
        with suppress(NotFound):  # another worker was faster
            await forgetter.finish(await forgetter.one(name) or await forgetter.begin(id, name))

    # ---- doing it ---------------------------------------------------------------------------------------------------

    async def do(self, worker: int, doing: Doing, crash: Crash | None = None) -> None:
        """Do one thing."""
        action, run = doing
        await self._carry_out(worker, run, crash)
        self.verdicts.append(self.model.do(action))
        self.models.append(self.model.copy())

    async def at_once(self, doings: Sequence[Doing], crashes: Sequence[Crash | None], seed: int) -> None:
        """Do actions concurrently, by all processes; the result must be that of some order of them."""
        chance, self.times_vary = random.Random(seed), True
        for store in self._stores:
            store.chance = chance
        runs = zip(doings, crashes, strict=True)
        await asyncio.gather(*[self._carry_out(n, run, crash) for n, ((_, run), crash) in enumerate(runs)])
        for store in self._stores:
            store.chance = None
        self.verdicts += [[] for _ in doings]
        errors = []
        seen = await self.look()
        for after in outcomes(self.model, [action for action, _ in doings]):
            error = differences(after, seen, self._things())
            if not error:
                self.model = after
                self.models += [after.copy()] * len(doings)
                return
            errors.append(error)
        raise AssertionError(f"no order of {[action for action, _ in doings]} has the stored result: {errors}")

    async def _carry_out(self, worker: int, run: Run, crash: Crash | None) -> None:
        worker %= self.processes
        self.clock.advance(BETWEEN)
        if crash is None:
            await run(worker)
            return
        self.times_vary = True
        CRASH.set(crash)
        crash.task = asyncio.create_task(_awaited(run(worker)))
        CRASH.set(None)
        try:
            await crash.task
        except asyncio.CancelledError:
            self._workers[worker] = self._worker(worker)
            await run((worker + 1) % self.processes)

    def skip(self) -> None:
        """Let the time of an operation pass."""
        self.clock.advance(BETWEEN)
        self.verdicts.append([])
        self.models.append(self.model)

    def fact_as_in(self, other: "Simulation", fact: Fact) -> Fact:
        """Return what a link says in another simulation, in the names of this one."""
        names = {id: self.own_id(sender) for sender, id in other.ids.items()}
        left, right = [names.get(name, name.replace(f"@{other.name}", f"@{self.name}")) for name in fact[:2]]
        return Fact(left, right, fact.kind)

    # ---- looking ----------------------------------------------------------------------------------------------------

    def _things(self) -> dict[str, str]:
        """The names of keys in the model, by their names in stored links."""
        found: dict[str, str] = {}
        for key in self._keys:
            cause = cause_of(self.secret, *split_key(key))
            found |= {cause: f"!{key}", f"?{cause}": f"?{key}"}
        return found

    async def look(self) -> Snapshot:
        """All that there is."""
        # First the profiles: what their last units have left to be written is finished by that.
        people = {id: await resolve_profile(self.store, id) for id in self.ids.values()}
        keys = {name: await self.store.key(stored) for stored, name in self._things().items()}
        gone = [id for id, profile in people.items() if profile is None]
        return Snapshot(people, keys, frozenset([id for id in gone if await self.store.events_of(id, 1)]))

    async def check(self) -> None:
        """All that there is fits the model, the events, too; and all ids of a profile lead to the same."""
        seen = await self.look()
        error = differences(self.model, seen, self._things())
        assert not error, error
        for together in {self.model.group(id) for id in self.model.counts}:
            profile, *others = [seen.people[id] for id in together]
            assert profile is not None
            users = {self.model.users[id] for id in together if id in self.model.users}
            assert len(users) < 2 or self.model.has_alias(together), f"{sorted(together)} are {sorted(users)}"
            assert others == [profile] * len(others), f"{sorted(together)} do not lead to one profile"
            expected = sum(self.model.events.get(each, 0) for each in together)
            found = await events_of(self.store, profile, 100)
            client = [event for event in found if event.origin == "client"]
            assert len(client) == len({event.id for event in client}), f"events of {sorted(together)} are stored twice"
            assert len(client) == expected, f"{sorted(together)} have {len(client)} events, not {expected}"

    async def shown(self, id: str) -> dict[str, Any] | None:
        """The view of the profile with an id, as readers get it."""
        profile = await resolve_profile(self.store, id)
        return None if profile is None else profile_view(profile, fold(profile))


async def _awaited(run: Awaitable[None]) -> None:
    await run
