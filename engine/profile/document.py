"""The stored form of a profile: its parts, the links that join them, and the ids that it is known by.

A profile is the **fold of its parts**: one part for each of its ids. Most profiles have one part. A part keeps *cells*:
registers (a leaf value, or a mark "everything older at and below this path is removed") and counters. An object is
never a cell, its leaves are; a set is registers keyed by member, a list registers keyed by stamp.

Cells are kept flat, keyed by *cell path* (`cellpath`): the names joined by dots; a set's member and a list's element
have a segment of their own kind. Every time is in milliseconds since the epoch. A register's time is stored as its
difference to `base`; a register without an entry in `times` was written at `base`, and a list's element carries its
time in the cell path.

Invariant: within one part no cell is older than a mark or register at or above it, because a write removes the cells
that it replaces.
"""

from typing import Any, Literal

from msgspec import Struct, field

from engine.language.decimals import Exact

Path = tuple[str, ...]
CellPath = str
Scalar = str | int | float | bool | None

LIST_CAP = 100  # elements that a list keeps, the newest
SET_CAP = 1000  # members that a set takes; adding one more is refused


class Members(tuple[Scalar, ...]):
    """A set in a view: sorted, without repeats. The type distinguishes it from a list."""

    __slots__ = ()


class Part(Struct, frozen=True, omit_defaults=True):
    """Everything that was written under one id. Only units that act under that id write to it."""

    id: str
    created: int  # ms since the epoch; never changes
    base: int = 0  # ms; the time of every register without an entry in `times`
    last: int = 0  # ms; the newest time in the part
    mixed: bool = False  # of earlier versions: written while the view included parts that only a claim joined
    user: str = ""  # of a pair of visitor and user: the user as a key, as `key_link` names a proven one
    device: str = ""  # of such a pair: the id of the same visitor without a user
    cells: dict[CellPath, Any] = field(default_factory=dict)  # registers
    times: dict[CellPath, int] = field(default_factory=dict)  # of registers, ms after `base`
    marks: dict[CellPath, int] = field(default_factory=dict)  # times of removals, ms after `base`
    counts: dict[CellPath, tuple[int, int, Exact]] = field(default_factory=dict)  # (born, time, amount), absolute
    # The counters of other parts that a `set` of this one replaced, by part and cell.
    seen_counts: dict[str, dict[CellPath, tuple[int, int, Exact]]] = field(default_factory=dict, name="seen")
    tallies: dict[str, dict[str, Exact]] = field(default_factory=dict)  # counters over time: name, bucket, amount
    earliest: int = 0  # ms; when its first event occurred, if before `created`: see `visits.begun_by`
    # The time of the last event (ms), the end of the visit before the current one (ms), and the number of visits.
    visit_times: tuple[int, int, int] = field(default=(0, 0, 0), name="met")


class Clash(Struct, frozen=True, omit_defaults=True):
    """A path at which the two sides of a merge had different values, and which of them showed after it.

    The values are JSON, shortened; None once they are deleted because the link is undone or a side was set apart.
    """

    path: str
    shown: Literal["left", "right", "other"]
    left: str | None = None
    right: str | None = None


class Side(Struct, frozen=True, omit_defaults=True):
    """The ids that one side of a link had, the canonical one first; `more` counts those that are not listed."""

    ids: tuple[str, ...]
    more: int = 0


class LinkOrigin(Struct, frozen=True, omit_defaults=True):
    """How a link was made. `left` and `right` are None when it joined no profiles, or ids of one profile."""

    at: int  # ms
    event: str
    type: str  # of the event
    flow: str
    node: str
    acting: str  # the id under which the event came in
    won: str  # the id of the merged profile
    left: Side | None = None
    right: Side | None = None
    clashes: tuple[Clash, ...] = ()
    more: int = 0  # clashes that are not listed


LinkKind = Literal["claim", "proof", "own"]


class Link(Struct, frozen=True, omit_defaults=True):
    """An id joined to a key, or to another id. `id` is a hash of left, kind and right, so a repeat is the same link.

    A *claim* was made by a sender without authority, a *proof* by one with it; an *own* link joins a device before its
    first login to its first user. A link holds until it ceases or is undone, which both are for good.
    """

    id: str
    left: str  # an id
    right: str  # a key as `key_link` names it, or an id
    kind: LinkKind = "proof"
    alias: bool = False  # it lets a second value of an exclusive key into the profile
    ceased: int = 0  # ms; since then a claim no longer holds
    ceased_by: str = ""  # the link for which it ceased
    undone: int = 0  # ms
    why: LinkOrigin | None = None

    @property
    def holds(self) -> bool:
        """Whether the link joins its two sides now."""
        return not self.ceased and not self.undone


class EarlierLink(Struct, frozen=True, omit_defaults=True):
    """A link as earlier versions stored it, among `steps`: two ids joined for a cause. See `engine.profile.upgrade`."""

    id: str
    left: str
    right: str
    cause: str
    claim: bool = False
    undone: bool = False
    undone_at: int = 0  # ms
    why: LinkOrigin | None = None


class Standing(Struct, frozen=True, omit_defaults=True):
    """A profile's membership in one segment that has a condition. Times are ms; 0 is never, or not now."""

    since: int = 0  # when the profile entered
    # Only for a segment with a window: since when its condition holds, and until when it last held for long enough.
    holds_since: int = field(default=0, name="holds")
    held_until: int = field(default=0, name="held")


class WaitStub(Struct, frozen=True, omit_defaults=True):
    """A run that waits, as its profile lists it: what is owed to a profile stands in its document.

    `run` and `n` name the waiting run (`RUN.N`). It acts under the id `of`, since `began` (ms). It is ripe at `due`
    (ms), or when an event has arrived that one of the patterns `on` matches (`arrived`; `due` is then that time).
    """

    run: str
    n: int
    flow: str
    of: str
    began: int
    due: int
    on: tuple[str, ...] = ()
    arrived: bool = False

    @property
    def id(self) -> str:
        """The id of the record of the waiting run."""
        return f"{self.run}.{self.n}"


class Tail(Struct, frozen=True):
    """The last ordered deliveries of a profile to a target, and when the last of them is due (ms)."""

    ids: tuple[str, ...]
    at: int


class Profile(Struct, frozen=True, omit_defaults=True):
    """A profile as it is stored. `version` counts its commits; 0 is a profile that is not stored yet."""

    id: str
    created: int
    version: int = 0
    parts: dict[str, Part] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)  # all links that touch its parts, by id
    steps: dict[str, EarlierLink] = field(default_factory=dict)  # only in documents of earlier versions
    conditional: tuple[str, ...] = ()  # segments that it belongs to by their condition, sorted
    standing: dict[str, Standing] = field(default_factory=dict)  # its membership in these and other segments, by name
    evaluated_at: int = field(default=0, name="judged")  # ms; when conditions were evaluated; 0 if time does not matter
    due: int | None = None  # ms; when time alone may change membership or end a wait; 0: at once, None: never
    waits: tuple[WaitStub, ...] = ()  # its open waits, in the order of `(began, run)`
    tails: dict[str, Tail] = field(default_factory=dict)  # by target
    fired: dict[str, int] = field(default_factory=dict)  # by task: the newest due time (ms) that it has had
    merged_into: str | None = None  # makes this a tombstone: the profile continues under that id

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of its parts, its own first, the others sorted."""
        if len(self.parts) == 1 and self.id in self.parts:
            return (self.id,)
        return (self.id, *sorted(i for i in self.parts if i != self.id))


def new_profile(id: str, now: int, *, user: str = "", device: str = "") -> Profile:
    """Return a profile that is not stored yet, with one empty part of its own. `now` is in ms."""
    part = Part(id=id, created=now, base=now, last=now, user=user, device=device)
    return Profile(id=id, created=now, parts={id: part})
