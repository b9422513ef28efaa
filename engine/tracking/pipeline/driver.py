"""The driver: it answers the asks of machines, from the store and from outside."""

import asyncio
from typing import Literal

import msgspec

from engine.flow.ask import (
    CacheGet,
    CacheReply,
    GeoAsk,
    GeoReply,
    HttpAsk,
    NoAnswer,
    ProfileById,
    ProfileByKey,
    ProfileReply,
    ProfilesByKeys,
    ProfilesReply,
    Reply,
    SessionById,
    SessionReply,
)
from engine.flow.run import IssuedAsk
from engine.ports.ids import cause_of, derived_id
from engine.ports.records import Session
from engine.ports.store import Reads
from engine.ports.tombstone import is_forgotten
from engine.ports.world import Clock, OutsideCall, Performer, Places, UnreadableDatabase
from engine.profile.document import LinkKind
from engine.profile.linking import key_link
from engine.tracking.pipeline.key_holder import Resolve, holder_of
from engine.tracking.pipeline.time_slices import TimeSlices
from engine.tracking.unit.event import session_view
from engine.tracking.unit.pending import PendingRun
from engine.tracking.unit.request import ReplyKey, UnitRequest

_encode = msgspec.json.Encoder().encode

DriveResult = Literal["over", "suspended"]
Tasks = dict["asyncio.Task[Reply]", IssuedAsk]

TOO_LATE = NoAnswer("budget", "the answer to the sender could not wait any longer", retriable=False)


class Driver:
    """Brings machines to their end. Branches wait side by side; replies are handed in one by one."""

    def __init__(self, store: Reads, performer: Performer, clock: Clock, resolve: Resolve, slices: TimeSlices) -> None:
        self.store = store
        self.resolve = resolve
        self.performer = performer
        self.clock = clock
        self.places: Places | None = None  # without a database of places, `geo.lookup` has no answer
        self.slices = slices
        self.waiting = 0  # units that wait for the outside
        self._secret = b""

    async def drive(self, pending: PendingRun, request: UnitRequest) -> DriveResult:
        """Answer a machine's asks until nothing is left to answer.

        The result is "over" when the run has ended, and "suspended" when all its branches wait for replies that do not
        come now. From the request's deadline on, look-ups that are under way get the reply `TOO_LATE`. Once the run
        has ended, nothing more is asked, and what is under way is cancelled. A machine that rests goes on at once, or
        when others have had their turn.
        """
        todo = list(pending.asked)
        tasks: Tasks = {}
        began: float | None = None
        try:
            while (todo or tasks or pending.machine.resting) and not pending.machine.over:
                if pending.machine.resting:
                    began = await self.slices.after_step(began)
                    todo += pending.machine.advance()
                    continue
                if todo:
                    asked = todo.pop(_next(todo, pending, request))
                    if isinstance(asked.ask, HttpAsk) and _key(pending, asked) not in request.replies:
                        tasks[asyncio.ensure_future(self._perform(pending, asked, request.intake.hops))] = asked
                    else:
                        todo += _hand_in(pending, asked, await self._own(asked, pending, request))
                    continue
                for task in await self._first(tasks, request):
                    asked = tasks.pop(task)
                    reply = TOO_LATE if task.cancelled() else task.result()
                    request.replies[_key(pending, asked)] = reply
                    todo += _hand_in(pending, asked, reply)
        finally:
            await _cancel(tasks)
        return "over" if pending.machine.over else "suspended"

    async def _first(self, tasks: Tasks, request: UnitRequest) -> list["asyncio.Task[Reply]"]:
        """Return the tasks that are done first, in the order of asking; all of them once the deadline has passed."""
        left = max(request.deadline - self.clock.ticks(), 0)
        self.waiting += 1
        try:
            done, _ = await asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.waiting -= 1
        if not done:
            await _cancel(tasks)
        return [task for task in tasks if task.done()]

    async def _perform(self, pending: PendingRun, asked: IssuedAsk, hops: int) -> Reply:
        if asked.delay_ms:
            await asyncio.sleep(asked.delay_ms / 1000)
        return await self.performer.perform(_outside_call(pending, asked, hops))

    async def _own(self, asked: IssuedAsk, pending: PendingRun, request: UnitRequest) -> Reply:
        """Return the reply of our own store (read again at each run), or an outside reply that was recorded."""
        match asked.ask:
            case ProfileById(id=id):
                return ProfileReply(await self.resolve(id, request.now), id)
            case ProfileByKey():
                return await self._by_key(asked.ask, request.now)
            case ProfilesByKeys(keys=keys):
                asking = [self._by_key(ProfileByKey(*key), request.now) for key in keys]
                return ProfilesReply(tuple(await asyncio.gather(*asking) if len(asking) > 1 else [await asking[0]]))
            case CacheGet(key=name):
                entry = await self.store.cached(name, request.now)
                return CacheReply(entry is not None, entry.value if entry else None)
            case SessionById(id=id):
                session = await self.store.session(request.source.source, id)
                found = session or Session(request.source.source, id, request.now)
                return SessionReply(session_view(found), found.version, found.profile)
            case GeoAsk(address=address):
                return self._place(address)
        return request.replies[_key(pending, asked)]

    def _place(self, address: str) -> Reply:
        if self.places is None:
            return NoAnswer("refused", "the project has no database of places: `geo:` in headrace.yaml", False)
        try:
            return GeoReply(self.places.place(address))
        except UnreadableDatabase as error:
            return NoAnswer("broken", str(error), False)

    async def _by_key(self, ask: ProfileByKey, now: int) -> ProfileReply:
        """Answer with the holder of a key, of the proven one if anybody has proven it and the ask allows it."""
        self._secret = self._secret or await self.store.secret()
        cause = cause_of(self._secret, ask.path, ask.value)
        key_id = derived_id(self._secret, "attached by key", *filter(None, [ask.source]), ask.path, ask.value)
        kinds: tuple[LinkKind, ...] = ("proof", "claim") if ask.kind == "any" else (ask.kind,)
        reply = ProfileReply(None, cause=cause, key_id=key_id)
        for kind in kinds:
            holder, profile = await holder_of(self.store, self.resolve, self._secret, key_link(cause, kind), now)
            if holder is not None:
                reply = ProfileReply(profile, holder, cause, kind == "claim", key_id)
            if profile is not None:
                break
        if not ask.attach or reply.profile is None or key_id in reply.profile.parts:
            return reply
        return await self._with_key_profile(reply, now)

    async def _with_key_profile(self, reply: ProfileReply, now: int) -> ProfileReply:
        """Return a reply with the profile of the key's own id; a key of one who was forgotten gets another id."""
        key_id = reply.key_id
        while (profile := await self.resolve(key_id, now)) is None:
            if not await is_forgotten(self.store, self._secret, key_id):
                break
            key_id = derived_id(self._secret, "attached by key", key_id)
        return msgspec.structs.replace(reply, key_id=key_id, key_profile=profile)


def _outside_call(pending: PendingRun, asked: IssuedAsk, hops: int) -> OutsideCall:
    assert isinstance(asked.ask, HttpAsk)  # noqa: S101
    return OutsideCall(
        ask=asked.ask,
        flow=pending.machine.flow.name,
        node=asked.id,
        event=pending.machine.inputs.event["id"],
        number=asked.number,
        attempt=asked.attempt,
        hops=hops,
    )


def _hand_in(pending: PendingRun, asked: IssuedAsk, reply: Reply) -> list[IssuedAsk]:
    pending.machine.reply(asked.node, reply)
    return pending.machine.advance()


async def _cancel(tasks: Tasks) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


def _key(pending: PendingRun, asked: IssuedAsk) -> ReplyKey:
    ask = asked.ask
    question = msgspec.structs.replace(ask, timeout_ms=0) if isinstance(ask, HttpAsk) else ask
    return pending.event, pending.machine.flow.name, asked.id, asked.number, asked.attempt, _encode(question)


def _next(todo: list[IssuedAsk], pending: PendingRun, request: UnitRequest) -> int:
    """Return the index of the next ask: first those to send, then those with recorded replies, in recorded order."""
    order = {key: i for i, key in enumerate(request.replies)}
    ranks = [order.get(_key(pending, asked), -1) for asked in todo]
    return ranks.index(min(ranks))
