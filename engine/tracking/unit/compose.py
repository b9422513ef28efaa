"""Composing the unit of work: what a unit's runs came to, as documents to be committed as one."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from engine.flow.effect import CachePut
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
from engine.profile.merge import tombstone
from engine.profile.profile_view import metadata
from engine.profile.value import members
from engine.tracking.intake.payload import Intake, RejectedEvent
from engine.tracking.unit.cache import CachedProfile
from engine.tracking.unit.event import UnitEvent
from engine.tracking.unit.processing import FlowResult, UnitRun
from engine.tracking.unit.visibility import answered_id

_encoder = msgspec.json.Encoder()


class Composed(Struct, frozen=True):
    """A unit, and the documents as they stand once it is committed."""

    unit: Unit
    profile: Profile | None
    view: dict[str, Any] | None
    session: Session | None
    told: str | None  # the id of the profile that the sender is told

    @property
    def known(self) -> CachedProfile | None:
        """The profile as it may be remembered."""
        if self.profile is None or self.view is None:
            return None
        return CachedProfile(self.profile, self.view)


def compose(work: UnitRun, intake: Intake, session_write: bool, rejected: tuple[Rejected, ...]) -> Composed:
    """The unit of a work that is done. `session_write` says whether the session may be kept."""
    profile, view, profiles = _profiles(work)
    told = answered_id(work, profile)
    session, change = _session(work, intake, session_write)
    read = None
    if session is not None and change is None:
        read = SessionRead(session.source, session.id, session.version)
    return Composed(
        Unit(
            profiles=profiles,
            sessions=() if change is None else (change,),
            session_reads=() if read is None else (read,),
            keys=_keys(work),
            marks=tuple([_mark(work, intake, event, told) for event, _, _ in work.done if event.marked]),
            events=tuple([_stored(work, event, seen, owner) for event, seen, owner in work.done if event.save]),
            runs=tuple([run_record(work, ran, profile) for ran in work.ran if ran.trace is not None and ran.flow]),
            rejected=rejected,
            cache=tuple([_entry(work, put) for put in work.cache]),
        ),
        profile,
        view,
        session,
        told,
    )


def writes_nothing(work: UnitRun, composed: Composed) -> bool:
    """Whether a unit that only looked at its profile has found nothing to write."""
    before, after = work.start.profile, composed.profile
    if before is None or after is None or work.done or work.state.operations or work.merged:
        return False
    same = before.conditional == after.conditional and before.standing == after.standing
    return same and before.due == after.due


def _mark(work: UnitRun, intake: Intake, event: UnitEvent, told: str | None) -> ProcessedEvent:
    return ProcessedEvent(work.start.source.source, event.id, work.start.now, intake.session, told)


def _profiles(work: UnitRun) -> tuple[Profile | None, dict[str, Any] | None, tuple[ProfileWrite, ...]]:
    state = work.state
    if state.profile is None:
        return None, None, ()
    acting = state.acting_id or state.profile.id
    expected = state.profile.version
    before = work.start.view if not work.merged and work.start.profile is not None else None
    profile, _ = apply_operations(state.profile, acting, state.operations, work.start.now, before, state.rules)
    shown = {**state.scope["profile"], "id": profile.id, "ids": list(profile.ids), "metadata": metadata(profile)}
    profile = work.project.segment_rules.with_membership(profile, shown, work.membership.at)
    if profile.conditional != state.profile.conditional:  # flows have seen them a moment too early
        manual = set(shown["segments"]) - set(state.profile.conditional)
        shown["segments"] = members([*manual, *profile.conditional])
    first = work.start.profile or work.attached
    write = ProfileWrite(profile, expected, shown, first is None or bool(work.merged) or profile.due != first.due)
    if not work.merged:
        return profile, shown, (write,)
    documents = [*([first] if first else []), *work.merged]
    # A merge whose step was undone joins nobody: then the other profile stays as it is.
    # Of copies of one the oldest counts: what was decided was decided on all of them.
    documents.sort(key=lambda doc: -doc.version)
    losers = {doc.id: doc for doc in documents if doc.id != profile.id and doc.id in profile.parts}
    frozen = tuple(ProfileWrite(tombstone(doc, profile.id), doc.version) for doc in losers.values())
    return profile, shown, (write, *frozen)


def _session(work: UnitRun, intake: Intake, keep: bool) -> tuple[Session | None, SessionWrite | None]:
    session = work.start.session or _attached(work)
    if session is None:
        return None, None
    shown = work.state.scope["session"]
    # An attached profile is the session's only if its sender could prove it: a session is how a sender comes back.
    acting = work.state.acting_id if work.attached is None or work.start.identify == "trust" else None
    profile = session.profile or acting
    changed = msgspec.structs.replace(
        session, profile=profile, properties=shown["properties"], context=shown["context"]
    )
    if not keep or (session.version and changed == session):
        return session, None
    written = msgspec.structs.replace(changed, version=session.version + 1)
    return written, SessionWrite(written, session.version)


def _attached(work: UnitRun) -> Session | None:
    """The session that a flow has given to an event which came without one."""
    effect = work.session_attached
    if effect is None:
        return None
    seen = effect.session
    return Session(
        source=work.start.source.source,
        id=seen["id"],
        created=seen["created"],
        profile=effect.profile,
        version=effect.version,
        properties=seen["properties"],
        context=seen["context"],
    )


def _keys(work: UnitRun) -> tuple[IdentityKey, ...]:
    acting = work.state.acting_id or ""
    if not work.claims:
        return ()
    claim = work.start.identify != "trust"
    over: dict[str, bool] = {}
    claims: dict[str, bool] = {}
    for each in work.claims:
        name = f"{each.path}={each.value}"
        over[name] = over.get(name, False) or each.again
        claims[name] = claims.get(name, claim) and not each.proven
    return tuple([IdentityKey(name, acting, claims[name], over[name]) for name in sorted(over)])


def _stored(work: UnitRun, event: UnitEvent, seen: dict[str, Any], profile: str | None) -> StoredEvent:
    session = work.state.scope["session"]
    return StoredEvent(
        id=event.id,
        type=event.type,
        source=work.start.source.source,
        received=work.start.now,
        session=session["id"] if session else None,
        profile=profile,
        time=event.time if isinstance(event.time, str | int) else None,
        origin=event.origin,
        parent=event.parent,
        properties=seen["properties"],
        context=seen["context"],
    )


def run_record(work: UnitRun, ran: FlowResult, profile: Profile | None) -> RunRecord:
    """A run as it is kept, its trace completed with whom and what it was about."""
    session = work.state.scope["session"]
    versions = [profile.version - 1, profile.version] if profile else []
    document = {
        "event": {"id": ran.event.id, "type": ran.event.type},
        "profile": {"id": profile.id, "version": versions} if profile else None,
        "flow": ran.flow,
        "version": ran.version[:16],
        "outcome": ran.outcome,
        "at": work.start.now,
        **(ran.trace or {}),
    }
    return RunRecord(
        id=short_hash("run", ran.event.id, ran.flow, ran.version, work.start.seed),
        event=ran.event.id,
        flow=ran.flow,
        version=ran.version,
        outcome=ran.outcome,
        at=work.start.now,
        source=work.start.source.source,
        profile=profile.id if profile else None,
        trace=Raw(_encoder.encode(document)),
        other_profiles=ran.other_profiles,
        session=session["id"] if session else None,
    )


def rejected_records(intake: Intake, now: int, seed: str) -> tuple[Rejected, ...]:
    """The events that could not be accepted, as they are kept."""
    return tuple(_rejected(intake, one, now, seed) for one in intake.rejected)


def _rejected(intake: Intake, one: RejectedEvent, now: int, seed: str) -> Rejected:
    return Rejected(
        id=short_hash("rejected", seed, str(one.index)),
        source=intake.source,
        at=now,
        reason=one.reason,
        at_field=one.at,
        session=intake.session,
        body=one.body,
        profile=intake.profile,
    )


def _entry(work: UnitRun, put: CachePut) -> CacheEntry:
    return CacheEntry(put.key, put.value, work.start.now + put.ttl_ms, work.state.acting_id)
