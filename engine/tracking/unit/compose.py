"""Composing: the effects of a unit become documents that are committed as one."""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, Struct

from engine.flow.effect import CachePut
from engine.language.written_time import written_time
from engine.ports.bounded import VALUE_BYTES
from engine.ports.ids import short_hash
from engine.ports.records import (
    CacheEntry,
    Changes,
    IdentityKey,
    ProcessedEvent,
    ProfileWrite,
    RecordWrite,
    Rejected,
    RunRecord,
    Session,
    SessionRead,
    SessionWrite,
    StoredEvent,
    Unit,
)
from engine.ports.replay import REPLAYS
from engine.profile.apply import apply_operations
from engine.profile.document import Profile
from engine.profile.grouping import Regrouped, regroup, versioned
from engine.profile.linking import Pool, all_own
from engine.profile.profile_view import metadata
from engine.profile.value import members
from engine.project.project import Project
from engine.tracking.intake.data_limits import pointer
from engine.tracking.intake.payload import Intake
from engine.tracking.unit.cache import CachedProfile
from engine.tracking.unit.effects import About, FlowResult, RanEvent, UnitEffects, run_id
from engine.tracking.unit.outbox import delivery_writes
from engine.tracking.unit.set_apart import (
    Documents,
    at_next_version,
    keys_left,
    known_apart,
    tombstone_writes,
    write_of,
)

_encode = msgspec.json.Encoder().encode

MAX_REFUSED: Final = 20  # values of an event that have a record each
NOTHING_STORED: Final[Documents] = MappingProxyType({})


class Composed(Struct, frozen=True):
    """A unit, and the documents as they are once it is committed.

    `open_to_all` says whether the sender may see values and ids of the profiles in the unit; `answered_id` is the id of
    its profile that the sender may know. `touches_others` says whether it writes the documents of other profiles, too.
    """

    unit: Unit
    cached: CachedProfile | None
    session: Session | None
    open_to_all: bool
    answered_id: str | None
    touches_others: bool = False

    @property
    def profile(self) -> Profile | None:
        """The profile as it is once the unit is committed."""
        return self.cached.profile if self.cached is not None else None


def regrouped_by(effects: UnitEffects) -> Regrouped:
    """Return the profiles that a unit's links have joined or set apart; there must be a pool."""
    state = effects.state
    assert state.pool is not None and state.profile is not None  # noqa: S101, PT018  # the caller has checked it
    former = effects.context.former
    return regroup(state.pool, state.documents, state.acting_id or state.profile.id, former.id if former else None)


def compose(
    effects: UnitEffects,
    intake: Intake,
    rejected: tuple[Rejected, ...],
    regrouped: Regrouped | None = None,
    stored: Documents = NOTHING_STORED,
) -> Composed:
    """Return the unit that writes everything that a finished unit run did.

    `regrouped` is what `regrouped_by` returns; if a profile is set apart, `stored` are the documents at all its ids.
    """
    context = effects.context
    known, profiles, deliveries = _profiles(effects, regrouped, stored)
    profile = known.profile if known is not None else None
    open_to_all = may_see_all(effects, profile)
    answered_id = None
    if profile is not None and context.profile is not None:
        answered_id = profile.id if open_to_all else context.acting_id
    session, write = _session(effects, intake)
    failed = _failed_events(effects)
    return Composed(
        Unit(
            profiles=profiles,
            sessions=() if write is None else (write,),
            session_reads=() if session is None or write is not None else (_read(session),),
            keys=_keys(effects),
            left_keys=() if regrouped is None else keys_left(Pool.of(*regrouped.documents), regrouped.pool),
            marks=tuple([_mark(effects, intake, ran, answered_id) for ran in effects.events if ran.event.marked]),
            events=tuple([_stored(effects, ran) for ran in effects.events if ran.event.save]),
            runs=tuple(
                [
                    run_record(effects, one, profile, failed)
                    for one in effects.flows
                    if one.trace is not None and one.flow
                ]
            ),
            rejected=(*rejected, *_refused(effects)) if effects.refused else rejected,
            cache=tuple([_entry(effects, put) for put in effects.cache]),
            changes=_changes(effects, deliveries),
        ),
        known,
        session,
        open_to_all,
        answered_id,
        len(profiles) > 1,
    )


def _changes(effects: UnitEffects, deliveries: tuple[RecordWrite, ...]) -> Changes:
    """Return the writes and deletions of versioned records."""
    changes: Changes = deliveries if effects.waits is None else (*deliveries, *effects.waits.changes())
    again = effects.context.again
    return changes if again is None else (*changes, RecordWrite(REPLAYS, again, 0))


def writes_nothing(effects: UnitEffects, composed: Composed) -> bool:
    """Whether a unit without events has found nothing to write about its profile."""
    before, after = effects.context.profile, composed.profile
    if before is None or after is None or effects.events or effects.state.operations or effects.state.pool:
        return False
    same = before.conditional == after.conditional and before.standing == after.standing
    return same and before.due == after.due


def may_see_all(effects: UnitEffects, profile: Profile | None) -> bool:
    """Whether the sender, whose profile is `profile` now, may see values and ids that the unit read.

    It may if it has authority; or if no run, not even a failed one, read a profile that is not its own, and all
    parts of its own are joined to it by proof.
    """
    if effects.context.identify == "trust":
        return True
    if effects.foreign:
        return False
    return profile is None or all_own(profile, effects.context.acting_id or "")


def _mark(effects: UnitEffects, intake: Intake, ran: RanEvent, answered_id: str | None) -> ProcessedEvent:
    context = effects.context
    return ProcessedEvent(context.source.source, ran.event.id, context.now, intake.session, answered_id)


def _failed_events(effects: UnitEffects) -> set[str]:
    """Return the ids of the events of which all runs failed, so that nothing of them took effect."""
    failed = {one.event.id for one in effects.flows if one.outcome == "failed" and one.counted is not None}
    if failed:
        failed -= {one.event.id for one in effects.flows if one.outcome != "failed" and one.counted is not None}
    return failed


def _profiles(
    effects: UnitEffects, regrouped: Regrouped | None, stored: Documents
) -> tuple[CachedProfile | None, tuple[ProfileWrite, ...], tuple[RecordWrite, ...]]:
    """Return the unit's profile as it is once it is committed, and the writes of profiles and deliveries."""
    state, context = effects.state, effects.context
    if state.profile is None:
        return None, (), delivery_writes(effects, None, effects.membership.project.targets)[0]
    acting_id = state.acting_id or state.profile.id
    before = context.view if regrouped is None and context.profile is not None else None
    profile, _ = apply_operations(state.profile, acting_id, state.operations, context.now, before, state.rules)
    if regrouped is not None:
        profile = at_next_version(profile, versioned(regrouped, stored))
    if effects.waits is not None:
        profile = msgspec.structs.replace(profile, waits=effects.waits.open(profile))
    view = state.scope["profile"].copy()
    view["metadata"] = metadata(profile)
    if len(profile.parts) != len(view["ids"]):  # an id has acted for the first time
        view["ids"] = list(profile.ids)
    profile = effects.membership.with_membership(profile, view, state)
    deliveries: tuple[RecordWrite, ...] = ()
    if effects.deliveries:
        deliveries, profile = delivery_writes(effects, profile, effects.membership.project.targets)
    if profile.conditional != state.profile.conditional:  # the runs saw them before time or a merge had changed them
        manual = set(view["segments"]) - set(state.profile.conditional)
        view["segments"] = members([*manual, *profile.conditional])
    encoded = _encode(view)
    known = CachedProfile(profile, view, 2 * len(encoded) + VALUE_BYTES * encoded.count(b","))
    if regrouped is not None:
        return known, _regrouped_writes(effects, known, regrouped, stored), deliveries
    first = context.profile or effects.attached
    due_moved = first is None or profile.due != first.due
    return known, (ProfileWrite(profile, profile.version - 1, view, due_moved),), deliveries


def _regrouped_writes(
    effects: UnitEffects, known: CachedProfile, regrouped: Regrouped, stored: Documents
) -> tuple[ProfileWrite, ...]:
    """Return the writes of the unit's profile, of those that it set apart, and of tombstones; the winner's first."""
    profile, context = known.profile, effects.context
    versions, project = versioned(regrouped, stored), effects.membership.project
    writes = [
        write_of(known if each.id == profile.id else _apart(each, versions, project, context.now), versions)
        for each in regrouped.profiles
    ]
    return (*writes, *tombstone_writes(regrouped, stored))


def _apart(profile: Profile, versions: Mapping[str, int], project: Project, now: int) -> CachedProfile:
    return known_apart(at_next_version(profile, versions), project, now)


def _session(effects: UnitEffects, intake: Intake) -> tuple[Session | None, SessionWrite | None]:
    session = effects.context.session or _attached(effects)
    if session is None:
        return None, None
    view = effects.state.scope["session"]
    # An attached profile is the session's only if its sender could prove it: a session is how a sender comes back.
    acting_id = effects.state.acting_id if effects.attached is None or effects.context.identify == "trust" else None
    profile = acting_id if effects.context.former is not None else session.profile or acting_id
    changed = msgspec.structs.replace(session, profile=profile, properties=view["properties"], context=view["context"])
    if not intake.options.saveSession or (session.version and changed == session):
        return session, None
    written = msgspec.structs.replace(changed, version=session.version + 1)
    return written, SessionWrite(written, session.version)


def _read(session: Session) -> SessionRead:
    return SessionRead(session.source, session.id, session.version)


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
    if not effects.held_keys:
        return ()
    over: dict[str, set[str]] = {}
    for key in effects.held_keys:
        over.setdefault(key.name, set()).update(key.over)
    acting_id, profile = effects.state.acting_id or "", effects.state.profile
    part = profile.parts.get(acting_id) if profile is not None else None
    user = part.user if part is not None else ""
    return tuple([IdentityKey(name, acting_id, tuple(sorted(over[name])), user) for name in sorted(over)])


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
        occurred=None if event.occurred is None else _unsaid(event.occurred, event.time, context.now),
        origin=event.origin,
        parent=event.parent,
        properties=ran.view["properties"],
        context=ran.view["context"],
    )


def _unsaid(occurred: int, time: int | None, received: int) -> int | None:
    """Return when an event occurred, in ms; None where the event's time, or without one `received`, says the same."""
    return None if occurred == (received if time is None else time) else occurred


def _refused(effects: UnitEffects) -> Iterator[Rejected]:
    """Yield the records of values that could not be cast, of the events that are stored.

    The values of an event beyond `MAX_REFUSED` have one record together: a record is larger than most values.
    """
    for ran in effects.events:
        if not ran.event.save:
            continue
        refused = ran.event.refused
        for one in refused[:MAX_REFUSED]:
            yield _refused_value(effects, ran, f"/{pointer(one.field)}", one.reason, one.value)
        if others := refused[MAX_REFUSED:]:
            reason = f"{others[0].reason}; and {len(others) - 1} more values of this event could not be cast"
            yield _refused_value(effects, ran, "", reason, {one.field: one.value for one in others})


def _refused_value(effects: UnitEffects, ran: RanEvent, at: str, reason: str, value: Any) -> Rejected:
    """Return the record of a value, whose place in the event's properties is `at`, a JSON pointer."""
    context, session = effects.context, effects.state.scope["session"]
    return Rejected(
        id=short_hash("refused", context.source.source, ran.event.id, at, context.seed),
        source=context.source.source,
        at=context.now,
        reason=reason,
        at_field=f"/properties{at}",
        session=session["id"] if session else None,
        body=Raw(_encode(value)),
        profile=ran.acting_id,
        event=ran.event.id,
    )


def run_record(
    effects: UnitEffects, result: FlowResult, profile: Profile | None, failed: Collection[str] = ()
) -> RunRecord:
    """Return the record of a run: its trace, with the event and the profile that it was about.

    `failed` are the ids of events of which all runs failed.
    """
    context, session = effects.context, effects.state.scope["session"]
    given_up = [result.outcome] if result in context.given_up else []
    resumed = context.resumed
    waited = resumed is not None and result.flow == resumed.stub.flow and result.event.id == resumed.event().id
    alone = result.outcome == "failed" and result.event.id in failed and not waited
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
        id=run_id(result.event.id, result.flow, result.version, context.seed, *result.names, *given_up),
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
        type=result.event.type,
        us=(result.trace or {}).get("duration_us"),
        recording=Raw(result.recording) if result.recording is not None else UNSET,
        replay_of=context.again.id if context.again is not None and result.event.id == context.again.event else None,
        alone=alone,
        waited=waited,
        **({} if result.about is None else _about(result.about)),
    )


def _about(about: About) -> dict[str, Any]:
    """Return the fields by which a run is found."""
    key = about.key
    return {
        "kept": about.kept,
        "node": key.node or None,
        "port": key.port or None,
        "reason": key.reason or None,
        "level": about.level or None,
        "nodes": about.nodes,
        "logs": about.logs,
        "share": about.share,
    }


def _entry(effects: UnitEffects, put: CachePut) -> CacheEntry:
    return CacheEntry(put.key, put.value, effects.context.now + put.ttl_ms, effects.state.acting_id)
