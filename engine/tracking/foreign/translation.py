"""A translation: what a foreign protocol's request says, in our words. A translator is a pure function that makes one.

A translator decides what the members of its protocol mean, and nothing else. Whether an id, a type, a time or data can
be used, whose the events are, and which of them came before is decided for all protocols alike
(`engine.tracking.foreign.senders`). An error in the envelope is a `Refusal` of the whole request; an error in one event
is a `RejectedEvent` in its place, and the others are taken.
"""

from collections.abc import Generator, Mapping
from typing import Any

from msgspec import Struct, field

from engine.tracking.intake.payload import RejectedEvent


class ForeignRequest(Struct, frozen=True, kw_only=True):
    """A request of a foreign protocol. `body` is decompressed, `path` decoded, and `headers` have lower-case names.

    `target` is the path with the query as they were sent, of which some systems make signatures.
    """

    path: str
    body: bytes = b""
    query: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    address: str = ""  # of the client, as the connection shows it; empty if unknown
    method: str = "POST"
    target: str = ""


class ForeignEvent(Struct, frozen=True, kw_only=True):
    """An event of a foreign protocol. Ids are as the client sent them, as text; an empty one is as none.

    `at` is the event's place in the body, a JSON pointer, and `raw` its own text: it is kept if the event is rejected,
    and it makes the event's id where the client gave none. `sent` is the client's clock when it sent the request, in
    the forms of `time`. `skewed` says that the protocol has `time` corrected by the whole difference between `sent` and
    the server's clock, whatever the source says.
    """

    at: str
    raw: bytes
    type: str
    properties: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    id: str | None = None
    time: Any = None
    sent: Any = None
    skewed: bool = False
    visitor: str | None = None
    user: str | None = None
    previous: str | None = None  # an earlier id of the same user: an alias
    session: str | None = None


class Translation(Struct, frozen=True, kw_only=True):
    """A translated request: its events in their order, and the keys that its body names (each once)."""

    events: tuple[ForeignEvent | RejectedEvent, ...]
    keys: tuple[str, ...] = ()


Steps = Generator[None, None, Translation]  # of a translation; it yields between two events: a large request takes long
