"""Full tracing for some minutes: of a flow, a profile, a session, a type of events, or of several of these at once.

A *switch* says which runs are traced until when. Switches are in a note of the store, which each process of each server
reads every few seconds; so they hold everywhere soon, and end everywhere at their time. A run that one of them means is
kept as if its sender had asked for the debugger (`kept: debugged`).

As long as no switch is on, `Pipeline.tracing` is None, and events cost nothing.
"""

from collections.abc import Collection
from typing import Final

import msgspec
from msgspec import Struct

from engine.ports.store import Contention, Notes

NOTE: Final = "tracing"
MAX_SWITCHES: Final = 20
MAX_MINUTES: Final = 60
MINUTE: Final = 60_000  # ms
MAX_ATTEMPTS: Final = 20


class TooManySwitches(Exception):
    """So many switches are on already that no further one is taken."""

    def __init__(self) -> None:
        super().__init__(f"{MAX_SWITCHES} switches are on: switch one off, or wait for its end")


class Switch(Struct, frozen=True, omit_defaults=True):
    """The runs to trace, and until when (ms). A run is meant if all that is named fits; empty texts name nothing."""

    id: str
    until: int
    flow: str = ""
    profile: str = ""
    session: str = ""
    type: str = ""
    by: str = ""  # the name of the one who has switched it on

    def means(self, flow: str, type: str, session: str, profiles: Collection[str]) -> bool:
        """Whether a run of a flow, for an event of a type in a session of a profile with these ids, is to be traced."""
        return (
            self.flow in {"", flow}
            and self.type in {"", type}
            and self.session in {"", session}
            and (not self.profile or self.profile in profiles)
        )


Switches = tuple[Switch, ...]

_decode = msgspec.json.Decoder(Switches).decode


async def switches(store: Notes, now: int) -> Switches:
    """Return the switches that are on at `now` (ms). Raises `Unavailable`."""
    return _on(await store.note(NOTE), now)


async def switch_on(store: Notes, switch: Switch, now: int) -> None:
    """Add a switch. Raises `TooManySwitches` and `Unavailable`."""

    def added(known: Switches) -> Switches:
        if len(known) >= MAX_SWITCHES:
            raise TooManySwitches
        return (*known, switch)

    for _ in range(MAX_ATTEMPTS):
        stored = await store.note(NOTE)
        if await _replace(store, stored, added(_on(stored, now))):
            return
    raise Contention("the switches of tracing are changed by others all the time")


async def switch_off(store: Notes, id: str, now: int) -> bool:
    """Remove a switch. Returns whether it was on. Raises `Unavailable`."""
    for _ in range(MAX_ATTEMPTS):
        stored = await store.note(NOTE)
        known = _on(stored, now)
        left = tuple([switch for switch in known if switch.id != id])
        if len(left) == len(known):
            return False
        if await _replace(store, stored, left):
            return True
    raise Contention("the switches of tracing are changed by others all the time")


def _on(stored: bytes | None, now: int) -> Switches:
    return tuple([switch for switch in _decode(stored) if switch.until > now]) if stored else ()


async def _replace(store: Notes, stored: bytes | None, known: Switches) -> bool:
    doc = msgspec.json.encode(known)
    return doc == stored or await store.replace_note(NOTE, doc, stored)
