"""Composing the unit of work: what a unit's runs came to, as documents to be committed as one."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from engine.flow.effect import CachePut
from engine.ports.ids import short_hash
from engine.ports.records import (
    CacheEntry,
    Key,
    Mark,
    ProfileWrite,
    Rejected,
    RunRecord,
    Session,
    SessionRead,
    SessionWrite,
    StoredEvent,
    Unit,
)
from engine.profile.apply import commit
from engine.profile.document import Profile
from engine.profile.merge import tombstone
from engine.profile.profile_view import metadata
from engine.profile.value import members
from engine.tracking.intake.payload import Intake, Unacceptable
from engine.tracking.unit.cache import KnownProfile
from engine.tracking.unit.event import Being
from engine.tracking.unit.processing import Ran, Work
from engine.tracking.unit.visibility import answered_id

_encoder = msgspec.json.Encoder()


class Composed(Struct, frozen=True):
    """A unit, and the documents as they stand once it is committed."""

    unit: Unit
    person: Profile | None
    shown: dict[str, Any] | None
    session: Session | None
    told: str | None  # the id of the profile that the sender is told

    @property
    def known(self) -> KnownProfile | None:
        """The profile as it may be remembered."""
        if self.person is None or self.shown is None:
            return None
        return KnownProfile(self.person, self.shown)


def compose(work: Work, intake: Intake, session_write: bool, rejected: tuple[Rejected, ...]) -> Composed:
    """The unit of a work that is done. `session_write` says whether the session may be kept."""
    person, shown, profiles = _profiles(work)
    told = answered_id(work, person)
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
            events=tuple([_stored(work, event, seen, profile) for event, seen, profile in work.done if event.save]),
            runs=tuple([run_record(work, ran, person) for ran in work.ran if ran.trace is not None and ran.flow]),
            rejected=rejected,
            cache=tuple([_entry(work, put) for put in work.cache]),
        ),
        person,
        shown,
        session,
        told,
    )


def unmoved(work: Work, composed: Composed) -> bool:
    """Whether a unit that only looked at its profile has found nothing to write."""
    before, after = work.start.person, composed.person
    if before is None or after is None or work.done or work.sight.operations or work.merged:
        return False
    same = before.conditional == after.conditional and before.standing == after.standing
    return same and before.due == after.due


def _mark(work: Work, intake: Intake, event: Being, told: str | None) -> Mark:
    return Mark(work.start.source.source, event.id, work.start.now, intake.session, told)


def _profiles(work: Work) -> tuple[Profile | None, dict[str, Any] | None, tuple[ProfileWrite, ...]]:
    sight = work.sight
    if sight.person is None:
        return None, None, ()
    acting = sight.acting or sight.person.id
    expected = sight.person.version
    before = work.start.shown if not work.merged and work.start.person is not None else None
    person, _ = commit(sight.person, acting, sight.operations, work.start.now, before, sight.rules)
    shown = {**sight.scope["profile"], "id": person.id, "ids": list(person.ids), "metadata": metadata(person)}
    person = work.project.conditional.settled(person, shown, work.membership.at)
    if person.conditional != sight.person.conditional:  # flows have seen them a moment too early
        manual = set(shown["segments"]) - set(sight.person.conditional)
        shown["segments"] = members([*manual, *person.conditional])
    first = work.start.person or work.attached
    write = ProfileWrite(person, expected, shown, first is None or bool(work.merged) or person.due != first.due)
    if not work.merged:
        return person, shown, (write,)
    documents = [*([first] if first else []), *work.merged]
    # A merge whose step was undone joins nobody: then the other profile stays as it is.
    # Of copies of one the oldest counts: what was decided was decided on all of them.
    documents.sort(key=lambda doc: -doc.version)
    losers = {doc.id: doc for doc in documents if doc.id != person.id and doc.id in person.parts}
    frozen = tuple(ProfileWrite(tombstone(doc, person.id), doc.version) for doc in losers.values())
    return person, shown, (write, *frozen)


def _session(work: Work, intake: Intake, keep: bool) -> tuple[Session | None, SessionWrite | None]:
    session = work.start.session or _attached(work)
    if session is None:
        return None, None
    shown = work.sight.scope["session"]
    # An attached profile is the session's only if its sender could prove it: a session is how a sender comes back.
    acting = work.sight.acting if work.attached is None or work.start.identify == "trust" else None
    profile = session.profile or acting
    changed = msgspec.structs.replace(
        session, profile=profile, properties=shown["properties"], context=shown["context"]
    )
    if not keep or (session.version and changed == session):
        return session, None
    written = msgspec.structs.replace(changed, version=session.version + 1)
    return written, SessionWrite(written, session.version)


def _attached(work: Work) -> Session | None:
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


def _keys(work: Work) -> tuple[Key, ...]:
    acting = work.sight.acting or ""
    if not work.claims:
        return ()
    claim = work.start.identify != "trust"
    over: dict[str, bool] = {}
    claims: dict[str, bool] = {}
    for each in work.claims:
        name = f"{each.path}={each.value}"
        over[name] = over.get(name, False) or each.again
        claims[name] = claims.get(name, claim) and not each.proven
    return tuple([Key(name, acting, claims[name], over[name]) for name in sorted(over)])


def _stored(work: Work, event: Being, seen: dict[str, Any], profile: str | None) -> StoredEvent:
    session = work.sight.scope["session"]
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


def run_record(work: Work, ran: Ran, person: Profile | None) -> RunRecord:
    """A run as it is kept, its trace completed with whom and what it was about."""
    session = work.sight.scope["session"]
    versions = [person.version - 1, person.version] if person else []
    document = {
        "event": {"id": ran.event.id, "type": ran.event.type},
        "profile": {"id": person.id, "version": versions} if person else None,
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
        profile=person.id if person else None,
        trace=Raw(_encoder.encode(document)),
        met=ran.met,
        session=session["id"] if session else None,
    )


def rejected_records(intake: Intake, now: int, seed: str) -> tuple[Rejected, ...]:
    """The events that could not be accepted, as they are kept."""
    return tuple(_rejected(intake, one, now, seed) for one in intake.rejected)


def _rejected(intake: Intake, one: Unacceptable, now: int, seed: str) -> Rejected:
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


def _entry(work: Work, put: CachePut) -> CacheEntry:
    return CacheEntry(put.key, put.value, work.start.now + put.ttl_ms, work.sight.acting)
