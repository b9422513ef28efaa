"""Asks and replies: what a node needs from the world, and what came back, as values.

A `StoreAsk` is answered by our own store (read again when a unit runs again); an `OutsideAsk` by a `Performer`
(recorded, and not asked again). Every ask may be answered by `NoAnswer`.
"""

from typing import Any

from msgspec import Struct, field

from engine.profile.document import Profile


class HttpAsk(Struct, frozen=True, tag="http", tag_field="ask"):
    """A request to a configured target. `query` is data: it is percent-encoded by who performs."""

    target: str
    method: str = "GET"
    path: str = "/"  # already percent-encoded, begins with /
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None  # JSON, or None for no body
    timeout_ms: int = 2000


class ProfileById(Struct, frozen=True, tag="profile-by-id", tag_field="ask"):
    """The profile that `id` leads to today (along merges)."""

    id: str


class ProfileByKey(Struct, frozen=True, tag="profile-by-key", tag_field="ask"):
    """The profile that a key such as `pii.email` = `ann@example.com` belongs to."""

    path: str
    value: str


class ProfilesByKeys(Struct, frozen=True, tag="profiles-by-keys", tag_field="ask"):
    """The profiles that several keys belong to, asked for at once."""

    keys: tuple[tuple[str, str], ...]  # path and value


class CacheGet(Struct, frozen=True, tag="cache-get", tag_field="ask"):
    """What the shared cache holds under `key`."""

    key: str


class SessionById(Struct, frozen=True, tag="session-by-id", tag_field="ask"):
    """The session of the event's source with that id."""

    id: str


StoreAsk = ProfileById | ProfileByKey | ProfilesByKeys | CacheGet | SessionById
OutsideAsk = HttpAsk
Ask = HttpAsk | ProfileById | ProfileByKey | ProfilesByKeys | CacheGet | SessionById


class HttpReply(Struct, frozen=True, tag="http", tag_field="reply"):
    """An answer of a target. `body` is decoded JSON, or text when it is not JSON."""

    status: int
    body: Any = None
    url: str = ""  # as called, secrets redacted
    took_ms: int = 0


class ProfileReply(Struct, frozen=True, tag="profile", tag_field="reply"):
    """The canonical profile that was found, or None. `found_under_id` is the id that the key or id came in under.

    A key may belong to an id that nobody has stored yet; then the profile has version 0.
    """

    profile: Profile | None
    found_under_id: str | None = None
    claimed: bool = False  # a key that a sender without authority brought
    cause: str = ""  # of a key: its path and a keyed hash of its value, as a step that joins by it names them


class ProfilesReply(Struct, frozen=True, tag="profiles", tag_field="reply"):
    """What was found for each key, in the order of asking."""

    found: tuple[ProfileReply, ...]


class CacheReply(Struct, frozen=True, tag="cache", tag_field="reply"):
    """The cached value; `hit` tells a cached null from nothing."""

    hit: bool
    value: Any = None


class NoAnswer(Struct, frozen=True, tag="no-answer", tag_field="reply"):
    """The world did not answer. `reason` is for people; `kind`: timeout, connection, refused, budget or status."""

    kind: str
    reason: str
    retriable: bool = True
    url: str = ""
    status: int | None = None
    took_ms: int = 0


class SessionReply(Struct, frozen=True, tag="session", tag_field="reply"):
    """The session as flows see it, or None; with its stored version and the profile id that it leads to."""

    session: dict[str, Any] | None
    version: int = 0
    profile: str | None = None


Reply = HttpReply | ProfileReply | ProfilesReply | CacheReply | SessionReply | NoAnswer


def refusal(reply: Reply) -> str:
    """Why there is no answer of the kind that was asked for."""
    return reply.reason if isinstance(reply, NoAnswer) else f"a reply of another kind: {type(reply).__name__}"
