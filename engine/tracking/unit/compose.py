"""Composing: the effects of a unit become documents that are committed as one."""

import msgspec
from msgspec import Raw, Struct

from engine.flow.effect import CachePut
from engine.ports.bounded import VALUE_BYTES
from engine.ports.ids import short_hash
from engine.ports.records import (
    CacheEntry,
    IdentityKey,
    ProcessedEvent,
    ProfileWrite,
    Rejected,
    RunRecord,
    Session,
    SessionRead,
    SessionWrite,
    StoredEvent,
    Unit,
)
from engine.profile.apply import apply_operations
from engine.profile.document import Profile
from engine.profile.merge import all_proven, tombstone
from engine.profile.profile_view import metadata
from engine.profile.value import members
from engine.tracking.intake.event_time import written_time
from engine.tracking.intake.payload import Intake
from engine.tracking.unit.cache import CachedProfile
from engine.tracking.unit.effects import FlowResult, RanEvent, UnitEffects

_encode = msgspec.json.Encoder().encode


class Composed(Struct, frozen=True):
    """A unit, and the documents as they are once it is committed.

    `open_to_all` says whether the sender may see values and ids of the profiles in the unit; `answered_id` is the id of
    its profile that the sender may know.
    """

    unit: Unit
    cached: CachedProfile | None
    session: Session | None
    open_to_all: bool
    answered_id: str | None

    @property
    def profile(self) -> Profile | None:
        """The profile as it is once the unit is committed."""
        return self.cached.profile if self.cached is not None else None


def compose(effects: UnitEffects, intake: Intake, rejected: tuple[Rejected, ...]) -> Composed:
    """Return the unit that writes everything that a finished unit run did."""
    context = effects.context
    known, profiles = _profiles(effects)
    profile = known.profile if known is not None else None
    open_to_all = _may_see_all(effects, profile)
    answered_id = None
    if profile is not None and context.profile is not None:
        answered_id = profile.id if open_to_all else context.acting_id
    session, write = _session(effects, intake)
    read = None
    if session is not None and write is None:
        read = SessionRead(session.source, session.id, session.version)
    return Composed(
        Unit(
            profiles=profiles,
            sessions=() if write is None else (write,),
            session_reads=() if read is None else (read,),
            keys=_keys(effects),
            marks=tuple([_mark(effects, intake, ran, answered_id) for ran in effects.events if ran.event.marked]),
            events=tuple([_stored(effects, ran) for ran in effects.events if ran.event.save]),
            runs=tuple(
                [run_record(effects, one, profile) for one in effects.flows if one.trace is not None and one.flow]
            ),
            rejected=rejected,
            cache=tuple([_entry(effects, put) for put in effects.cache]),
        ),
        known,
        session,
        open_to_all,
        answered_id,
    )


def writes_nothing(effects: UnitEffects, composed: Composed) -> bool:
    """Whether a unit without events has found nothing to write about its profile."""
    before, after = effects.context.profile, composed.profile
    if before is None or after is None or effects.events or effects.state.operations or effects.merged:
        return False
    same = before.conditional == after.conditional and before.standing == after.standing
    return same and before.due == after.due


def _may_see_all(effects: UnitEffects, profile: Profile | None) -> bool:
    """Whether the sender may see values and ids that the unit read.

    It may if it has authority; or if no run, not even a failed one, read a profile that is not its own, and all
    parts of its own are joined to it by proof.
    """
    if effects.context.identify == "trust":
        return True
    if effects.foreign:
        return False
    return profile is None or all_proven(profile, effects.context.acting_id or "")


def _mark(effects: UnitEffects, intake: Intake, ran: RanEvent, answered_id: str | None) -> ProcessedEvent:
    context = effects.context
    return ProcessedEvent(context.source.source, ran.event.id, context.now, intake.session, answered_id)


def _profiles(effects: UnitEffects) -> tuple[CachedProfile | None, tuple[ProfileWrite, ...]]:
    state, context = effects.state, effects.context
    if state.profile is None:
        return None, ()
    acting_id = state.acting_id or state.profile.id
    before = context.view if not effects.merged and context.profile is not None else None
    profile, _ = apply_operations(state.profile, acting_id, state.operations, context.now, before, state.rules)
    view = state.scope["profile"].copy()
    view["metadata"] = metadata(profile)
    if len(profile.parts) != len(view["ids"]):  # an id has acted for the first time
        view["ids"] = list(profile.ids)
    profile = effects.membership.with_membership(profile, view, state)
    if profile.conditional != state.profile.conditional:  # the runs saw them before time or a merge had changed them
        manual = set(view["segments"]) - set(state.profile.conditional)
        view["segments"] = members([*manual, *profile.conditional])
    first = context.profile or effects.attached
    due_moved = first is None or bool(effects.merged) or profile.due != first.due
    write = ProfileWrite(profile, state.profile.version, view, due_moved)
    encoded = _encode(view)
    known = CachedProfile(profile, view, 2 * len(encoded) + VALUE_BYTES * encoded.count(b","))
    return known, (write, *_tombstones(effects, profile, first)) if effects.merged else (write,)


def _tombstones(effects: UnitEffects, profile: Profile, first: Profile | None) -> tuple[ProfileWrite, ...]:
    """Return the tombstones over the profiles that `profile` has taken over.

    A merge whose link was undone joins nothing: then the other profile stays as it is. Of several copies of one profile
    the oldest version counts, since all of them led to decisions.
    """
    documents = [*([first] if first else []), *effects.merged]
    documents.sort(key=lambda doc: -doc.version)
    losers = {doc.id: doc for doc in documents if doc.id != profile.id and doc.id in profile.parts}
    return tuple([ProfileWrite(tombstone(doc, profile.id), doc.version) for doc in losers.values()])


def _session(effects: UnitEffects, intake: Intake) -> tuple[Session | None, SessionWrite | None]:
    session = effects.context.session or _attached(effects)
    if session is None:
        return None, None
    view = effects.state.scope["session"]
    # An attached profile is the session's only if its sender could prove it: a session is how a sender comes back.
    acting_id = effects.state.acting_id if effects.attached is None or effects.context.identify == "trust" else None
    profile = session.profile or acting_id
    changed = msgspec.structs.replace(session, profile=profile, properties=view["properties"], context=view["context"])
    if not intake.options.saveSession or (session.version and changed == session):
        return session, None
    written = msgspec.structs.replace(changed, version=session.version + 1)
    return written, SessionWrite(written, session.version)


def _attached(effects: UnitEffects) -> Session | None:
    """Return the session that a flow has attached to an event which came without one."""
    effect = effects.session_attached
    if effect is None:
        return None
    view = effect.session
    return Session(
        source=effects.context.source.source,
        id=view["id"],
        created=view["created"],
        profile=effect.profile,
        version=effect.version,
        properties=view["properties"],
        context=view["context"],
    )


def _keys(effects: UnitEffects) -> tuple[IdentityKey, ...]:
    if not effects.claims:
        return ()
    claim = effects.context.identify != "trust"
    over: dict[str, bool] = {}
    claims: dict[str, bool] = {}
    for each in effects.claims:
        name = f"{each.path}={each.value}"
        over[name] = over.get(name, False) or each.again
        claims[name] = claims.get(name, claim) and not each.proven
    acting_id = effects.state.acting_id or ""
    return tuple([IdentityKey(name, acting_id, claims[name], over[name]) for name in sorted(over)])


def _stored(effects: UnitEffects, ran: RanEvent) -> StoredEvent:
    context, event, session = effects.context, ran.event, effects.state.scope["session"]
    return StoredEvent(
        id=event.id,
        type=event.type,
        source=context.source.source,
        received=context.now,
        session=session["id"] if session else None,
        profile=ran.acting_id,
        time=None if event.time is None else written_time(event.time),
        origin=event.origin,
        parent=event.parent,
        properties=ran.view["properties"],
        context=ran.view["context"],
    )


def run_record(effects: UnitEffects, result: FlowResult, profile: Profile | None) -> RunRecord:
    """Return the record of a run: its trace, with the event and the profile that it was about."""
    context, session = effects.context, effects.state.scope["session"]
    versions = [profile.version - 1, profile.version] if profile else []
    document = {
        "event": {"id": result.event.id, "type": result.event.type},
        "profile": {"id": profile.id, "version": versions} if profile else None,
        "flow": result.flow,
        "version": result.version[:16],
        "outcome": result.outcome,
        "at": context.now,
        **(result.trace or {}),
    }
    return RunRecord(
        id=short_hash("run", result.event.id, result.flow, result.version, context.seed),
        event=result.event.id,
        flow=result.flow,
        version=result.version,
        outcome=result.outcome,
        at=context.now,
        source=context.source.source,
        profile=profile.id if profile else None,
        trace=Raw(_encode(document)),
        other_profiles=result.other_profiles,
        session=session["id"] if session else None,
    )


def _entry(effects: UnitEffects, put: CachePut) -> CacheEntry:
    return CacheEntry(put.key, put.value, effects.context.now + put.ttl_ms, effects.state.acting_id)
