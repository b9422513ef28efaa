"""Asks and replies as values: an ask says what a node needs from outside the run, a reply is the answer to it.

The store answers a `StoreAsk`, each time that a unit is run. A `Performer` answers an `OutsideAsk`; the reply is
recorded, and used again when the unit is rerun. A `WaitAsk` is answered by a later unit, which resumes the run.
`NoAnswer` may be the reply to any ask.
"""

from typing import Any, Literal

from msgspec import Struct, field

from engine.profile.document import Profile


class HttpAsk(Struct, frozen=True, tag="http", tag_field="ask"):
    """A request to a configured target. `query` is data: the performer percent-encodes it.

    `share`, `cache_ms` and `stale_ms` say which answers will do besides that to this request: see
    `effects.shared_lookups`.
    """

    target: str
    method: str = "GET"
    path: str = "/"  # already percent-encoded, begins with /
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None  # JSON, or None for no body
    timeout_ms: int = 2000
    share: bool = False  # the answer to an equal request that is under way
    cache_ms: int = 0  # an answer to an equal request, of this age at most
    stale_ms: int = 0  # without any usable answer, one that is older by so much at most
    text: str | None = None  # the body as it is, in place of `body`


class ProfileById(Struct, frozen=True, tag="profile-by-id", tag_field="ask"):
    """Asks for the profile that `id` leads to today (along merges)."""

    id: str


KeyKind = Literal["claim", "proof", "any"]  # "any": the proven key if anybody has proven it, else the claimed one


class ProfileByKey(Struct, frozen=True, tag="profile-by-key", tag_field="ask"):
    """Asks for the profile that holds a key such as `pii.email` = `ann@example.com`.

    With `attach` the reply has the profile of the key's own id as well. `source` is that of a sender without authority;
    it decides which id that is.
    """

    path: str
    value: str
    kind: KeyKind = "any"
    attach: bool = False
    source: str = ""


class ProfilesByKeys(Struct, frozen=True, tag="profiles-by-keys", tag_field="ask"):
    """Asks for the profiles that hold several keys, all at once."""

    keys: tuple[tuple[str, str, KeyKind], ...]  # path, value and kind


class CacheGet(Struct, frozen=True, tag="cache-get", tag_field="ask"):
    """Asks for the value that the shared cache has under `key`."""

    key: str


class SessionById(Struct, frozen=True, tag="session-by-id", tag_field="ask"):
    """Asks for the session with that id of the event's source."""

    id: str


class GeoAsk(Struct, frozen=True, tag="geo", tag_field="ask"):
    """Asks for the place of an IP address, which a local database answers."""

    address: str


class WaitAsk(Struct, frozen=True, tag="wait", tag_field="ask"):
    """Asks to go on at `until` (ms), or when an event occurs whose type one of the patterns `on` matches.

    No caller answers it: the run is put away, and the reply comes when it is resumed. `until` is None where the node's
    `timeout` decides.
    """

    until: int | None = None
    on: tuple[str, ...] = ()


StoreAsk = ProfileById | ProfileByKey | ProfilesByKeys | CacheGet | SessionById
OutsideAsk = HttpAsk
Ask = HttpAsk | ProfileById | ProfileByKey | ProfilesByKeys | CacheGet | SessionById | GeoAsk | WaitAsk


class HttpReply(Struct, frozen=True, tag="http", tag_field="reply"):
    """A response of a target. `body` is decoded JSON, or text when it is not JSON.

    With `age_ms`, it answered an earlier request. `stale` is the reason why there is no newer answer, where one was
    asked for.
    """

    status: int
    body: Any = None
    url: str = ""  # as called, secrets redacted
    took_ms: int = 0
    age_ms: int | None = None
    stale: str = ""


class ProfileReply(Struct, frozen=True, tag="profile", tag_field="reply"):
    """The canonical profile, or None. `found_under_id` is the id that was asked for, or the id that holds the key.

    A key may be held by an id under which no profile is stored yet; then the profile has version 0. The id of a profile
    that was forgotten may still hold a key; then there is no profile.
    """

    profile: Profile | None
    found_under_id: str | None = None
    cause: str = ""  # of a key: its path and a keyed hash of its value (`engine.profile.linking.key_link`)
    claimed: bool = False  # the key is only claimed
    key_id: str = ""  # the id of the key's own, under which events that are attached by it act
    key_profile: Profile | None = None  # the profile that has `key_id`, if another one than `profile` has it


class ProfilesReply(Struct, frozen=True, tag="profiles", tag_field="reply"):
    """The reply for each key, in the order of the ask."""

    found: tuple[ProfileReply, ...]


class CacheReply(Struct, frozen=True, tag="cache", tag_field="reply"):
    """The cached value. `hit` distinguishes a cached null from a miss."""

    hit: bool
    value: Any = None


class NoAnswer(Struct, frozen=True, tag="no-answer", tag_field="reply"):
    """There is no answer. `reason` is for people.

    `kind` is timeout, connection, status, broken (an answer that cannot be read), refused (not sent, or not read),
    breaker (the target has failed lately), or budget (the answer cannot wait any longer).
    """

    kind: str
    reason: str
    retriable: bool = True
    url: str = ""
    status: int | None = None
    took_ms: int = 0
    retry_after_ms: int = 0  # the target asks to wait so long before a retry


class SessionReply(Struct, frozen=True, tag="session", tag_field="reply"):
    """The session as flows see it, or None; with its stored version and the profile id that it leads to."""

    session: dict[str, Any] | None
    version: int = 0
    profile: str | None = None


class GeoReply(Struct, frozen=True, tag="geo", tag_field="reply"):
    """The `place` of the address as the database knows it; None when it does not have it."""

    place: dict[str, Any] | None


class WaitReply(Struct, frozen=True, tag="wait", tag_field="reply"):
    """The wait is over: `awaited` is the event that has arrived, as flows see it; None when its time has come."""

    awaited: dict[str, Any] | None = None


Reply = HttpReply | ProfileReply | ProfilesReply | CacheReply | SessionReply | GeoReply | WaitReply | NoAnswer


def refusal(reply: Reply) -> str:
    """The reason why `reply` does not answer the ask, for a node that expected another type of reply."""
    return reply.reason if isinstance(reply, NoAnswer) else f"a reply of another kind: {type(reply).__name__}"
