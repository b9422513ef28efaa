"""Intake: decode and validate the bytes of a payload into events. Pure; profiles play no part.

An error in the envelope refuses the whole payload (`Refusal`). An error in one event rejects that event alone, and
names its index and field.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct, field
from msgspec.structs import force_setattr

from engine.problem import did_you_mean
from engine.profile.document import Scalar
from engine.tracking.intake.consent import CONSENT_CHANGED, fault_of
from engine.tracking.intake.event_time import TIME_REMEDY, read_event_time
from engine.tracking.intake.ids import Id, Name, text_of_number
from engine.tracking.intake.user_token import LONGEST

MAX_BODY = 1_048_576  # bytes, after decompression
MAX_EVENTS = 500
MAX_DEPTH = 20  # of an event's properties and of contexts, counting the outermost object as 1
MAX_NUMBER = 2**53
MAX_CONTEXT = 4_194_304  # bytes that a payload's context makes when it is kept with each of its events

Token = Annotated[str, Meta(max_length=LONGEST)]
UNUSABLE = "must not be blank, begin or end with space, or hold control characters"

Wrongness = Literal["malformed", "unauthorised", "too-large", "nothing-accepted", "not-allowed", "forgotten"]


class Refusal(Exception):
    """A refused payload. `kind` decides the status; `detail` says what to change; `at` is a JSON pointer."""

    def __init__(self, kind: Wrongness, detail: str, at: str = "", errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(detail)
        self.kind: Wrongness = kind
        self.detail = detail
        self.at = at
        self.errors = errors or []


class Ref(Struct, frozen=True):
    """A reference by id; `usable` is checked where one is read."""

    id: Id

    def __post_init__(self) -> None:
        id: object = self.id
        if type(id) is int:
            force_setattr(self, "id", text_of_number(id))


class MaybeRef(Struct, frozen=True):
    """A reference that may be empty, as clients send it back after an answer without a profile."""

    id: Id | None = None

    def __post_init__(self) -> None:
        id: object = self.id
        if type(id) is int:
            force_setattr(self, "id", text_of_number(id))


class EventOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """Options of one event."""

    saveEvents: bool | None = None  # noqa: N815  # the wire's word


class PayloadOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """Options of a payload, as a client sends them."""

    debugger: bool | Literal["all"] | None = None
    profile: bool | None = None
    saveSession: bool | None = None  # noqa: N815
    saveEvents: bool | None = None  # noqa: N815


class EventPayload(Struct, frozen=True):
    """An event as a client sends it. An optional member that is null is as one that is absent."""

    type: Name
    id: Id | None = None
    time: Any = None
    properties: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    options: EventOptions | None = None

    def __post_init__(self) -> None:
        id: object = self.id
        if type(id) is int:
            force_setattr(self, "id", text_of_number(id))


class TrackPayload(Struct, frozen=True):
    """The body of `POST /track`. An optional member that is null is as one that is absent."""

    source: Ref
    events: list[Raw]
    session: MaybeRef | None = None
    profile: MaybeRef | None = None
    context: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None
    options: PayloadOptions | None = None
    userToken: Token | None = None  # noqa: N815


class Options(Struct, frozen=True):
    """Options of a payload, with the defaults."""

    debugger: bool | Literal["all"] = False
    profile: bool = False
    saveSession: bool = True  # noqa: N815
    saveEvents: bool = True  # noqa: N815


class Incoming(Struct, frozen=True):
    """An event that may be processed."""

    index: int
    id: str | None  # the client's; None when it gave none
    type: str
    properties: dict[str, Any]
    context: dict[str, Any]
    time: Any = None  # as the client sent it: `read_event_time` reads it
    save: bool = True


class RejectedEvent(Struct, frozen=True):
    """An event of a payload that was rejected, with the reason."""

    index: int
    reason: str
    at: str  # JSON pointer in the payload
    body: Raw


class Intake(Struct, frozen=True, kw_only=True):
    """A decoded payload, as the pipeline processes it."""

    source: str
    session: str | None = None
    profile: str | None = None
    events: tuple[Incoming, ...] = ()
    rejected: tuple[RejectedEvent, ...] = ()
    context: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    options: Options = Options()
    profile_less: bool = False
    sessionless: bool = False  # neither is a session made
    hops: int = 0  # how many look-ups led to the request, one by the other
    token: str | None = None  # until admission has looked at it
    proven: dict[str, Scalar] = field(default_factory=dict)  # keys of the sender that a token has proven, by path


DEFAULTS: Final = Options()

_payload = msgspec.json.Decoder(TrackPayload)
_event = msgspec.json.Decoder(EventPayload)
_object = msgspec.json.Decoder(dict[str, Any] | None)
_FIELD = re.compile("Object (missing required|contains unknown) field `(.*)`", re.DOTALL)
_digits = bytes.maketrans(b"123456789", b"000000000")


def read_track(body: bytes, *, profile_less: bool = False) -> Intake:
    """Decode a body of `/track`. Raises `Refusal`."""
    _check_text(body)
    try:
        payload = _payload.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed_payload(error, body) from None
    if not payload.events:
        raise Refusal("malformed", "`events` is empty: a payload carries at least one event", "/events")
    if len(payload.events) > MAX_EVENTS:
        detail = (
            f"a payload carries at most {MAX_EVENTS} events, this one has {len(payload.events)}: send fewer at once"
        )
        raise Refusal("too-large", detail, "/events")
    for at, ref in (("/source/id", payload.source), ("/session/id", payload.session), ("/profile/id", payload.profile)):
        if ref is not None and ref.id is not None and not usable(ref.id):
            raise Refusal("malformed", UNUSABLE, at)
    _check_context(payload, len(body))
    careful = suspicious(body)
    if careful:
        for name, value in (("context", payload.context), ("properties", payload.properties)):
            if fault := first_fault(value, f"/{name}"):
                raise Refusal("malformed", fault[1], fault[0])
    options = DEFAULTS if payload.options is None else _options(payload.options)
    events: list[Incoming] = []
    rejected: list[RejectedEvent] = []
    for index, raw in enumerate(payload.events):
        event = _one(index, raw, payload, options, careful)
        if isinstance(event, Incoming):
            events.append(event)
        else:
            rejected.append(event)
    return Intake(
        source=payload.source.id,
        session=payload.session.id if payload.session else None,
        profile=payload.profile.id if payload.profile else None,
        events=tuple(events),
        rejected=tuple(rejected),
        context=payload.context or {},
        properties=payload.properties or {},
        options=options,
        profile_less=profile_less,
        token=payload.userToken,
    )


def read_properties(body: bytes) -> dict[str, Any]:
    """Decode a body of `/collect`: an object that becomes the event's properties, or null. Raises `Refusal`."""
    if not body.strip():
        return {}
    _check_text(body)
    try:
        properties = _object.decode(body) or {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed_payload(error, body) from None
    if suspicious(body) and (fault := first_fault(properties, "")):
        raise Refusal("malformed", fault[1], fault[0])
    return properties


def collect_intake(type: str, source: str, session: str | None, properties: dict[str, Any]) -> Intake:
    """Return the intake of one event of `/collect`. Raises `Refusal` for an unusable type, source or session id."""
    for name, value in (("type", type), ("source", source), ("session", session)):
        if value is not None and not (0 < len(value) <= 200 and usable(value)):
            raise Refusal("malformed", f"the {name} in the path must have 1 to 200 characters; it {UNUSABLE}")
    if type == CONSENT_CHANGED and (fault := fault_of(properties)):
        raise Refusal("malformed", fault[1], fault[0])
    event = Incoming(0, None, type, properties, {})
    bare = session is None
    return Intake(source=source, session=session, events=(event,), profile_less=bare, sessionless=bare)


def suspicious(body: bytes) -> bool:
    """Return whether a body may nest too deep or hold too large a number; if not, `first_fault` need not run."""
    return body.count(b"{") + body.count(b"[") > MAX_DEPTH or b"0000000000000000" in body.translate(_digits)


def usable(id: str) -> bool:
    """Return whether a text can be an id or a name: printable, and without spaces around it."""
    return id.isprintable() and id[0] != " " and id[-1] != " "


def first_fault(value: Any, at: str) -> tuple[str, str] | None:
    """Return the first place (JSON pointer) where plain data breaks a limit, and the limit; None if none is broken."""
    return next(_faults(value, at, 1), None)


def _faults(value: Any, at: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict | list):
        if depth > MAX_DEPTH:
            yield at, f"nested deeper than {MAX_DEPTH} levels"
            return
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _faults(inner, f"{at}/{pointer(key)}", depth + 1)
    elif isinstance(value, int) and abs(value) > MAX_NUMBER:
        yield at, "whole numbers have at most 53 bits: send larger ones as text"


def pointer(key: str | int) -> str:
    """Return a key as one reference token of a JSON pointer (RFC 6901)."""
    return str(key).replace("~", "~0").replace("/", "~1")


def _options(given: PayloadOptions) -> Options:
    """Return the options of a payload, with the default for each that is absent or null."""
    return Options(
        debugger=given.debugger or False,
        profile=given.profile or False,
        saveSession=given.saveSession is not False,
        saveEvents=given.saveEvents is not False,
    )


def _one(index: int, raw: Raw, payload: TrackPayload, options: Options, careful: bool) -> Incoming | RejectedEvent:
    try:
        event = _event.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        at, reason = _place(error, EventOptions)
        return RejectedEvent(index, reason, f"/events/{index}{at}", raw)
    if not usable(event.type):
        return RejectedEvent(index, UNUSABLE, f"/events/{index}/type", raw)
    if event.id is not None and not usable(event.id):
        return RejectedEvent(index, UNUSABLE, f"/events/{index}/id", raw)
    if careful:
        for name, value in (("properties", event.properties), ("context", event.context)):
            if fault := first_fault(value, f"/events/{index}/{name}"):
                return RejectedEvent(index, fault[1], fault[0], raw)
    if event.type == CONSENT_CHANGED and (fault := fault_of(event.properties or {})):
        return RejectedEvent(index, fault[1], f"/events/{index}/properties{fault[0]}", raw)
    if event.time is not None and read_event_time(event.time) is None:
        return RejectedEvent(index, TIME_REMEDY, f"/events/{index}/time", raw)
    context = event.context or {}
    if payload.context:
        context = {**payload.context, **context}
    save = options.saveEvents and (event.options is None or event.options.saveEvents is not False)
    return Incoming(index, event.id, event.type, event.properties or {}, context, event.time, save)


def _check_text(body: bytes) -> None:
    """Refuse a body that is not UTF-8 anywhere: the decoder checks only the parts that it decodes."""
    if body.isascii():
        return
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise Refusal("malformed", f"the body is not UTF-8: {error.reason} at byte {error.start}") from None


def _check_context(payload: TrackPayload, size: int) -> None:
    """Refuse a large context that would be stored with each of many events; `size` is the body's, in bytes."""
    events = len(payload.events)
    if size * events <= MAX_CONTEXT or events == 1:
        return
    context = len(msgspec.json.encode(payload.context))
    if context * events > MAX_CONTEXT:
        detail = f"the context ({context} bytes) is kept with each of the {events} events, {MAX_CONTEXT} bytes at most"
        raise Refusal("too-large", f"{detail}: shorten it, or send fewer events at once", "/context")


def malformed_payload(error: Exception, body: bytes) -> Refusal:
    """Return the refusal of a body that could not be decoded, with its place; `wrong` is what the decoder says."""
    if not body.strip():
        return Refusal("malformed", "the body is empty: send a JSON object")
    at, reason = _place(error)
    if at in {"/source", "/session", "/profile"} and reason.endswith("got `str`"):
        given = msgspec.json.encode(msgspec.json.decode(body)[at[1:]][:200]).decode()
        reason = f'the {at[1:]} is an object: write {{"id": {given}}}'
    return Refusal("malformed", reason, at)


def _place(error: Exception, options: type[Struct] = PayloadOptions) -> tuple[str, str]:
    """Return the place (JSON pointer) and the text of a msgspec error. Only `options` refuse unknown members."""
    if isinstance(error, RecursionError):
        return "", f"nested deeper than {MAX_DEPTH} levels"
    if isinstance(error, UnicodeDecodeError):
        return "", f"the body is not UTF-8: {error.reason} at byte {error.start}"
    detail, _, inside = str(error).partition(" - at `$")
    steps = inside.rstrip("`").replace("[...]", ".*").replace("]", "").replace("[", ".").split(".")
    at = "".join(f"/{pointer(step)}" for step in steps if step)
    if found := _FIELD.fullmatch(detail):
        at += f"/{pointer(found[2])}"
        if found[1] == "contains unknown":
            detail = f"there is no option `{found[2]}`: "
            detail += did_you_mean(found[2], options.__struct_fields__)
    return at, detail[:1].lower() + detail[1:] if not detail.startswith("JSON") else detail
