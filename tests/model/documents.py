"""The documents of the simulated store, and the entries that a document carries until they are finished."""

from typing import NamedTuple

from msgspec import Struct

from tests.model.rules import Kind, Link, Part

NEVER = 1 << 60  # `created` of what is not stored yet: later than everything


class Brought(NamedTuple):
    """A link that an id is to get."""

    id: str
    link: Link
    alias: bool = False


Versions = dict[str, int]  # the version of each profile's document; 0: there is none


class StoredPart(Part, frozen=True):
    """A part with its content: when it was created, its events, their revenue, whether it was named as important."""

    created: int = NEVER
    log: tuple[str, ...] = ()
    revenue: int = 0
    important: bool = False


Parts = dict[str, StoredPart]


class SessionDocument(Struct, frozen=True):
    """The id that a session acts under, that pair's visitor and user, and how many events the session has."""

    profile: str
    visitor: str
    user: str = ""
    version: int = 0
    count: int = 0


class Leaving(Struct, frozen=True):
    """A profile that is set apart: its document's id, and the versions of the documents that it replaces."""

    id: str
    created: int
    parts: Parts
    versions: Versions


class KeyDocument(Struct, frozen=True):
    """The id that holds a key, and the user of that id if it is a pair."""

    id: str
    user: str = ""
    kind: Kind = "claim"  # only a wrong variant reads it


class LeftKey(Struct, frozen=True):
    """A key that is left to `new` if one of `old` holds it."""

    name: str
    old: tuple[str, ...]
    new: KeyDocument


class Entry(Struct, frozen=True):
    """The writes of a committed unit that follow its commit. See `finishing` for their order.

    `brought`, `users` and `undone` are for the ledger: the links that the unit has added, each tuple as a whole, the
    users of all ids that it has looked at, and the link that it took away.
    """

    token: int
    event: str | None = None  # also the name of its mark
    acting: str = ""
    answer: str | None = None
    stored: bool = False  # the event is stored
    emits: bool = False  # it has emitted an event, and put a delivery
    session_name: str | None = None
    session: SessionDocument | None = None
    took: tuple[tuple[str, int], ...] = ()
    leaving: tuple[Leaving, ...] = ()
    keys: tuple[LeftKey, ...] = ()
    brought: tuple[tuple[Brought, ...], ...] = ()
    users: tuple[tuple[str, str], ...] = ()
    undone: tuple[str, Link] | None = None

    @property
    def rearranges(self) -> bool:
        """Whether it writes profiles or keys, and so is finished before the next commit with its document."""
        return bool(self.took or self.leaving or self.keys)


class ProfileDocument(Struct, frozen=True):
    """A living profile, or a tombstone that leads `into` another document. An open one still has its contents."""

    created: int = NEVER
    parts: Parts = {}
    into: str | None = None
    open: bool = False
    pending: tuple[Entry, ...] = ()
    removed: bool = False  # of a forgotten id: only its name is left, until the forgetting is complete
    meant: tuple[tuple[str, Link], ...] = ()  # the links that it was frozen for: only a wrong variant reads them


class MarkDocument(Struct, frozen=True):
    """The mark of an event, with its answer; or a claim of it, for a unit that acts under the id `claim`."""

    profile: str | None
    answer: str | None = None
    claim: str | None = None
    pending: tuple[Entry, ...] = ()


class RecordDocument(Struct, frozen=True):
    """A stored event, or a delivery that may be done."""

    profile: str
    done: bool = False


class ForgettingDocument(Struct, frozen=True):
    """The ids and sessions that a forgetting erases; `complete` once nothing of them is left."""

    ids: frozenset[str]
    sessions: frozenset[str] = frozenset()
    complete: bool = False


class Refused(Struct, frozen=True):
    """The tombstone of a forgotten id or session: what comes under it is refused."""


Document = (
    ProfileDocument | KeyDocument | SessionDocument | MarkDocument | RecordDocument | ForgettingDocument | Refused
)
