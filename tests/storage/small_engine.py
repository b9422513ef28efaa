"""A small engine for tests of stores: it joins profiles by links, sets them apart, and completes what others left.

It loads, decides by the rules of `engine.profile.linking`, and commits, as the tracker does. Each unit leaves a cell
with its own name in the part of the id that it acts under, and a wait of that id, so that a test finds out whether a
unit was lost.
"""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, structs

from engine.ports.records import IdentityKey, ProfileWrite, Unit
from engine.ports.store import Conflict, Store
from engine.profile.document import Link, Part, Profile, Tail, WaitStub, new_profile
from engine.profile.grouping import left_keys, redirected, regroup, versioned
from engine.profile.linking import (
    LinkRules,
    Pool,
    accept,
    component,
    is_proven,
    key_link,
    new_link,
    settled,
    undo,
)
from engine.profile.owed import earliest

BORN = 1_700_000_000_000  # ms
WAIT = 3_600_000  # ms
RULES = LinkRules()
TRIES = 60

Kind = Literal["claim", "proof"]


class Act(Struct, frozen=True):
    """A unit under an id: it brings a key, has its link to a key undone, or neither."""

    name: str
    id: str
    key: str | None = None
    kind: Kind = "claim"
    undoes: str | None = None


class SmallEngine:
    """One process. `clock` must not go back; it orders what is written in one part."""

    def __init__(self, store: Store, clock: "Clock") -> None:
        self._store = store
        self._clock = clock

    async def run(self, act: Act) -> None:
        """Commit the unit of an act, once. Raises `Conflict` after too many tries."""
        for tries in range(TRIES):
            try:
                unit = await self.unit(act)
                if unit is not None:
                    await self._store.commit(unit)
            except Conflict:
                if tries == TRIES - 1:
                    raise
            else:
                return

    async def settle(self, id: str) -> None:
        """Set apart what does not belong together in the document that an id leads to, and complete the merge."""
        for _ in range(TRIES):
            profile = await self._store.profile(id)
            if profile is None:
                return
            try:
                await self._store.commit(await self._composed(Pool.of(profile), Pool.of(profile), (profile,), id))
            except Conflict:
                continue
            return

    async def unit(self, act: Act) -> Unit | None:
        """The unit of an act on what is stored now; None if it was committed before."""
        now = self._clock.next()
        document = await self._load(act.id, now)
        documents = [document]
        if act.name in document.parts.get(act.id, Part(act.id, 0)).cells:
            return None
        links: list[Link] = []
        keys: list[IdentityKey] = []
        if act.key is not None:
            links, keys = await self._brought(act, documents, now)
        before = pool = Pool.of(*documents)
        for link in pool.links.values():
            if link.left == act.id and link.right.endswith(act.undoes or "nothing"):
                pool = undo(pool, link.id, now)
        pool = accept(pool, links, RULES, now).pool if links else pool
        part = pool.parts[act.id]
        part = structs.replace(part, last=now, cells={**part.cells, act.name: True})
        pool = settled(Pool({**pool.parts, act.id: part}, pool.links), now)
        wait = WaitStub(act.name, 1, "flow", act.id, now, now + WAIT)
        owed: dict[str, Any] = {"waits": (*document.waits, wait), "tails": {"crm": Tail((act.name,), now)}}
        documents[0] = structs.replace(document, **owed, fired={"task": now})
        return await self._composed(before, pool, tuple(documents), act.id, keys)

    async def _load(self, id: str, now: int) -> Profile:
        profile = await self._store.profile(id) or new_profile(id, now)
        if id not in profile.parts:
            raise Conflict("profile", id)
        return profile

    async def _brought(self, act: Act, documents: list[Profile], now: int) -> tuple[list[Link], list[IdentityKey]]:
        """The links that a key makes, and the key if it is to be written; loads the profile of its holder."""
        name = key_link(act.key or "", act.kind)
        mine = new_link(act.id, act.kind, name)
        held = await self._store.key(name)
        if held is None:
            return [mine], [IdentityKey(name, act.id)]
        if held.id == act.id:
            return [mine], []
        other = await self._load(held.id, now)
        theirs = new_link(held.id, act.kind, name)
        pool = Pool.of(other)
        known = other.links.get(theirs.id, theirs)
        own = component(pool, held.id, claims=False)
        if not known.holds or (act.kind == "claim" and is_proven(pool, own)):
            if await self._store.key(name) != held:
                raise Conflict("key", name)
            return [mine], [IdentityKey(name, act.id, (held.id,))]
        if any(each.id == other.id and each.version != other.version for each in documents):
            raise Conflict("profile", other.id)
        documents.append(other)  # also a copy of the first one: on the way to it may be open tombstones
        return [theirs, mine], []

    async def _composed(
        self,
        before: Pool,
        pool: Pool,
        documents: tuple[Profile, ...],
        id: str,
        keys: list[IdentityKey] | None = None,
    ) -> Unit:
        regrouped = regroup(pool, documents, id)
        stored: Mapping[str, Profile] = {}
        if regrouped.sets_apart:
            stored = await self._store.as_stored(regrouped.ids)
        versions = versioned(regrouped, stored)
        writes = [
            ProfileWrite(
                _due(structs.replace(profile, version=versions.get(profile.id, 0) + 1)), versions.get(profile.id, 0)
            )
            for profile in regrouped.profiles
        ]
        writes += [ProfileWrite(stone, stone.version - 1) for stone in redirected(regrouped, stored)]
        left = [IdentityKey(key, stays, gone) for key, stays, gone in left_keys(before, regrouped.pool)]
        return Unit(profiles=tuple(writes), keys=tuple(keys or ()), left_keys=tuple(left))


def _due(profile: Profile) -> Profile:
    """A profile that is due with the first of its waits, as `SegmentRules.with_membership` leaves it."""
    return structs.replace(profile, due=earliest(None, profile.waits))


class Clock:
    """Milliseconds, each later than the one before."""

    def __init__(self) -> None:
        self._now = BORN

    def next(self) -> int:
        """The next one."""
        self._now += 1
        return self._now
