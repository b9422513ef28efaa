"""Joining units: what several units of one profile change, one after another, as one unit."""

from collections.abc import Sequence
from itertools import chain

from engine.ports.records import ProfileWrite, SessionRead, SessionWrite, Unit


def combine_units(units: Sequence[Unit]) -> Unit:
    """One unit that does what `units` do in their order, each of which rests on what the one before it writes."""
    if len(units) == 1:
        return units[0]
    profiles: dict[str, ProfileWrite] = {}
    sessions: dict[tuple[str, str], SessionWrite] = {}
    reads: dict[tuple[str, str], SessionRead] = {}
    for unit in units:
        for read in unit.session_reads:
            if (read.source, read.id) not in sessions:  # else it is one of these units that wrote what was read
                reads[read.source, read.id] = read
        for change in unit.sessions:
            name = change.session.source, change.session.id
            first = sessions.get(name, change)
            sessions[name] = SessionWrite(change.session, first.expected)
        for write in unit.profiles:
            before = profiles.get(write.profile.id, write)
            moved = before.due_moved or write.due_moved
            profiles[write.profile.id] = ProfileWrite(write.profile, before.expected, write.view, moved)
    return Unit(
        profiles=tuple(profiles.values()),
        sessions=tuple(sessions.values()),
        session_reads=tuple(reads.values()),
        keys=tuple(chain.from_iterable(unit.keys for unit in units)),
        marks=tuple(chain.from_iterable(unit.marks for unit in units)),
        events=tuple(chain.from_iterable(unit.events for unit in units)),
        runs=tuple(chain.from_iterable(unit.runs for unit in units)),
        rejected=tuple(chain.from_iterable(unit.rejected for unit in units)),
        cache=tuple(chain.from_iterable(unit.cache for unit in units)),
    )
