"""A lease: of several processes over one store, at most one holds a name, as long as it keeps renewing.

The lease is a note, `lease/NAME`, written by compare-and-set only. It says who holds it (`holder`), how often it has
changed hands (`term`), how often it was renewed in this term (`beat`), and what the holder leaves for its successor.
There is no wall time in it: no process compares its clock with another's. Each measures durations on its own clock,
which must go on while the machine sleeps; clocks need only run about equally fast (20 %).

A process is in one of three states towards a lease:

    FOLLOWER   it remembers the note that it read last, and when it first read the note in this form
    HOLDER     it wrote the stored note, and its last successful renewal *started* less than `VALID_SECONDS` ago
    EXPIRED    it wrote the note that it read last, but has not renewed it in time; it no longer acts

`tend`, called every `RENEW_SECONDS`, reads or writes the note and moves between the states:

    FOLLOWER -> HOLDER     the note is absent, released (`holder` is empty) or has not changed for `TAKEOVER_SECONDS`
                           on this process's clock, and the compare-and-set to `term + 1` succeeded
    HOLDER   -> HOLDER     the renewal (`beat + 1`) succeeded; the lease is valid from the start of the renewal, not
                           from its answer: others may have read the new note long before the answer
    HOLDER   -> EXPIRED    time has passed without a successful renewal: the store was away, the process was paused, or
                           the outcome of a renewal is unknown (then it does not count, though it may have been written)
    HOLDER, EXPIRED -> FOLLOWER   another process has written the note
    EXPIRED  -> HOLDER     no other process has written the note, and the renewal succeeded

Invariant: at no moment do two processes count as holder, since a holder stops `VALID_SECONDS` after the start of its
last renewal, and no process takes over until `TAKEOVER_SECONDS` after it read the result of that renewal, which is
later.

A holder leaves a text for its successor: it sets `leaving`, which its next renewal or its release writes. The text
applies to this term only: a process that holds the lease again passes on the text it inherited until it sets another.

Calls of `tend` and `release` may overlap: each waits for those before it.

A lease saves duplicate work; it does not make writes correct. A holder that is paused between checking `held` and
acting acts too late, once: so every write must be a compare-and-set at a version that it read before (fencing).
"""

from asyncio import Lock
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
from msgspec import Struct, structs

RENEW_SECONDS: Final = 5.0
VALID_SECONDS: Final = 12.0
TAKEOVER_SECONDS: Final = 15.0
PREFIX: Final = "lease/"


class LeaseNotes(Protocol):
    """The part of a store that leases need: see `Notes`."""

    async def note(self, name: str) -> bytes | None:
        """The stored bytes of a note."""

    async def replace_note(self, name: str, doc: bytes, expected: bytes | None) -> bool:
        """Compare-and-set of a note."""


class LeaseNote(Struct, frozen=True):
    """The note. `holder` is empty once it was released. The holder leaves the text `left` for its successor."""

    holder: str
    term: int
    beat: int
    left: str = ""


class Timing(Struct, frozen=True):
    """The durations of a lease, in seconds; tests use shorter ones. `valid` < `takeover` by more than clocks differ."""

    renew: float = RENEW_SECONDS
    valid: float = VALID_SECONDS
    takeover: float = TAKEOVER_SECONDS


USUAL: Final = Timing()

_decode = msgspec.json.Decoder(LeaseNote).decode
_encode = msgspec.json.Encoder().encode


class Lease:
    """One process's side of a lease, for one event loop; the module describes its states.

    `holder` names this start of this process and nothing else: draw it, for a host's name comes back after a restart.
    `ticks` are seconds on a clock that goes on while the machine sleeps. `sole`: the store serves one process at a
    time, so a note of another process is a former one's, and the lease is free.
    """

    def __init__(
        self,
        notes: LeaseNotes,
        name: str,
        holder: str,
        ticks: Callable[[], float],
        *,
        sole: bool = False,
        timing: Timing = USUAL,
    ) -> None:
        if not holder:
            raise ValueError("a lease needs the name of its holder: an empty one means that it was released")
        self._notes = notes
        self._name = PREFIX + name
        self._holder = holder
        self._ticks = ticks
        self._sole = sole
        self._timing = timing
        self._observed: bytes | None = None  # the note that was read or written last
        self._since: float | None = None  # ticks at which it was first observed; None: nothing was read yet
        self._uncertain = True  # the note may differ from `_observed` by a write of ours, or nothing was read yet
        self._valid_until = float("-inf")  # ticks
        self._lock = Lock()  # held by `tend` and `release`
        self._inherited = ""
        self._leaving: tuple[int, str] | None = None  # with the term in which it was set
        self.term = 0  # of the note that was observed last

    @property
    def held(self) -> bool:
        """Whether this process holds the lease now: check it before each act."""
        return self._ticks() < self._valid_until

    @property
    def inherited(self) -> str:
        """The text that the last holder left; a holder's own renewals do not change it."""
        return self._inherited

    @property
    def leaving(self) -> str:
        """The text for the successor: a holder sets it, and its next renewal or its release writes it.

        Unless it was set in this term it is `inherited`.
        """
        if self._leaving is None or self._leaving[0] != self.term:
            return self._inherited
        return self._leaving[1]

    @leaving.setter
    def leaving(self, text: str) -> None:
        self._leaving = self.term, text

    async def tend(self) -> bool:
        """Renew, follow or take over, whichever is due; returns `held`.

        Call it every `timing.renew` seconds. Raises `Unavailable` when the store cannot be asked; a held lease then
        stays held until its time has passed.
        """
        async with self._lock:
            if self._uncertain or not self._own:
                await self._look()
            if self._own:
                if not await self._renew():
                    await self._look()
            elif self._may_take_over():
                note = LeaseNote("", 0, 0) if self._observed is None else _decode(self._observed)
                await self._write(LeaseNote(self._holder, note.term + 1, 0, note.left))
            return self.held

    async def is_free(self) -> bool:
        """Read the note; return whether the next `tend` would take the lease, or renew it. Raises `Unavailable`."""
        async with self._lock:
            await self._look()
            return self._own or self._may_take_over()

    async def release(self) -> None:
        """Let another process take over at once, if the note still is this process's. Raises `Unavailable`.

        Afterwards the lease is not held until the next call of `tend`.
        """
        async with self._lock:
            self._valid_until = float("-inf")
            if not self._own or self._observed is None:
                return
            note = _decode(self._observed)
            doc = _encode(LeaseNote("", note.term, note.beat + 1, self.leaving))
            self._uncertain = True
            if await self._notes.replace_note(self._name, doc, self._observed):
                self._observe(doc)

    @property
    def _own(self) -> bool:
        """Whether the note that was observed last is this process's; it may have expired."""
        return self._observed is not None and _decode(self._observed).holder == self._holder

    async def _renew(self) -> bool:
        assert self._observed is not None  # noqa: S101
        note = _decode(self._observed)
        return await self._write(structs.replace(note, beat=note.beat + 1, left=self.leaving))

    async def _write(self, note: LeaseNote) -> bool:
        """Replace the note that was observed last. If this succeeds, the lease is valid from the start of the call."""
        started, doc = self._ticks(), _encode(note)
        self._uncertain = True
        written = await self._notes.replace_note(self._name, doc, self._observed)
        if written:
            self._observe(doc)
            self._valid_until = started + self._timing.valid
        else:
            self._valid_until = float("-inf")
        return written

    async def _look(self) -> None:
        doc = await self._notes.note(self._name)
        if doc != self._observed or self._since is None:
            self._observe(doc)
        self._uncertain = False
        if not self._own:
            self._valid_until = float("-inf")

    def _observe(self, doc: bytes | None) -> None:
        """Remember the note and the current tick: after a write it is called after the answer, so not too early."""
        self._observed, self._since, self._uncertain = doc, self._ticks(), False
        if doc is not None:
            note = _decode(doc)
            self.term = note.term
            if note.holder != self._holder:
                self._inherited = note.left

    def _may_take_over(self) -> bool:
        if self._sole or self._observed is None or not _decode(self._observed).holder:
            return True
        return self._since is not None and self._ticks() - self._since >= self._timing.takeover
