"""Intake: decode and validate the bytes of a payload into events. Pure; profiles play no part.

An error in the envelope refuses the whole payload (`Refusal`). An error in one event rejects that event alone, and
names its index and field.
"""

from collections.abc import Generator, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field
from msgspec.structs import force_setattr

from engine.language.surrogates import REPLACEMENT
from engine.profile.document import Scalar
from engine.tracking.intake.consent import CONSENT_CHANGED, fault_of
from engine.tracking.intake.data_limits import (
    ALMOST_ZERO,
    DIGITS,
    MANY_DIGITS,
    MAX_DEPTH,
    first_fault,
    first_fault_in,
    has_fraction,
    has_long_number,
)
from engine.tracking.intake.decode_error import fault_of_error
from engine.tracking.intake.event_time import TIME_REMEDY, read_event_time
from engine.tracking.intake.ids import JOINERS, Id, Name, text_of_number
from engine.tracking.intake.mending import Fault, MalformedEvent, kept_body, mended
from engine.tracking.intake.user_token import LONGEST

MAX_BODY = 1_048_576  # bytes, after decompression
MAX_EVENTS = 500
MAX_KEPT = 65_536  # bytes of a payload's context and of its properties, as JSON: a session keeps both
MAX_CONTEXT = 4_194_304  # bytes that a payload's context makes when it is kept with each of its events

T = TypeVar("T")
Token = Annotated[str, Meta(max_length=LONGEST)]
CUT = "was cut inside a character: half of a surrogate pair is no text, and two ids could become one"
UNUSABLE = "must not be blank, begin or end with space, or hold control characters"

Wrongness = Literal["malformed", "unauthorised", "too-large", "nothing-accepted", "not-allowed", "forgotten"]


class Refusal(Exception):
    """A refused payload. `kind` decides the status; `detail` says what to change; `at` is a JSON pointer.

    `cause` is for the log of the server, where the sender must not learn it.
    """

    def __init__(
        self,
        kind: Wrongness,
        detail: str,
        at: str = "",
        errors: list[dict[str, Any]] | None = None,
        cause: str = "",
    ) -> None:
        super().__init__(detail)
        self.cause = cause
        self.kind: Wrongness = kind
        self.detail = detail
        self.at = at
        self.errors = errors or []


class Ref(Struct, frozen=True):
    """A reference by id, which `id_fault` reads."""

    id: Id


class MaybeRef(Struct, frozen=True):
    """A reference that may be empty, as clients send it back after an answer without a profile."""

    id: Id | None = None


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


class TrackPayload(Struct, frozen=True):
    """The body of `POST /track`. An optional member that is null is as one that is absent."""

    source: Ref
    events: list[Raw]
    session: MaybeRef | None = None
    profile: MaybeRef | None = None
    visitor: MaybeRef | None = None
    user: MaybeRef | None = None
    context: dict[str, Any] | None = None
    properties: dict[str, Any] | None = None
    options: PayloadOptions | None = None
    userToken: Token | None = None  # noqa: N815


class _Data(Struct, frozen=True):
    """The plain data of an event or of a payload, as JSON text: in it a number has all its digits."""

    properties: Raw = Raw(b"null")
    context: Raw = Raw(b"null")


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
    sent: Any = None  # by the client's clock, when it sent the event, in the forms of `time`
    skewed: bool = False  # its protocol says that `sent` corrects `time`, whatever its source says


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
    visitor: str | None = None  # as secret as a session id
    user: str | None = None  # a value of the key at `KeyRules.user`; no secret
    previous: str | None = None  # an earlier id of the user; a payload of `/track` names none
    events: tuple[Incoming, ...] = ()
    rejected: tuple[RejectedEvent, ...] = ()
    context: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    options: Options = Options()
    profile_less: bool = False
    sessionless: bool = False  # neither is a session made
    hops: int = 0  # how many look-ups led to the request, one by the other
    session_made: bool = False  # here, so that the sender cannot name it again
    token: str | None = None  # until admission has looked at it
    proven: dict[str, Scalar] = field(default_factory=dict)  # keys of the sender that a token has proven, by path


class _Body(Struct, frozen=True):
    """A decoded body. `text` is the JSON that was decoded; `replaced` says that U+FFFD stands for lone surrogates."""

    payload: TrackPayload
    text: bytes
    malformed: Mapping[int, MalformedEvent] = {}
    replaced: bool = False


DEFAULTS: Final = Options()
_REFS: Final = ("source", "session", "profile", "visitor", "user")  # the members of a payload that are references

_payload = msgspec.json.Decoder(TrackPayload)
_event = msgspec.json.Decoder(EventPayload)
_data = msgspec.json.Decoder(_Data)


def read_track(body: bytes, *, profile_less: bool = False) -> Intake:
    """Decode a body of `/track`. Raises `Refusal`."""
    return whole(track_steps(body, profile_less=profile_less))


def whole(steps: Generator[None, None, T]) -> T:
    """Do all steps of some work. Returns its result, or raises its `Refusal`."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def track_steps(body: bytes, *, profile_less: bool = False) -> Generator[None, None, Intake]:
    """Decode a body of `/track`, and yield between two events: a large one takes long. Raises `Refusal`."""
    read = _read_body(body)
    payload = read.payload
    _check_envelope(payload, read.replaced)
    size = len(body)
    if size > MAX_KEPT:
        _check_kept(payload)
    if size * len(payload.events) > MAX_CONTEXT:
        _check_context(payload)
    careful = suspicious(read.text)
    if careful and (fault := _data_fault(payload, read.text)):
        raise Refusal("malformed", fault[1], fault[0])
    options = DEFAULTS if payload.options is None else _options(payload.options)
    events: list[Incoming] = []
    rejected: list[RejectedEvent] = []
    for index, raw in enumerate(payload.events):
        if index:
            yield
        event = _one(index, raw, read, options, careful)
        if isinstance(event, Incoming):
            events.append(event)
        else:
            rejected.append(event)
    return Intake(
        source=payload.source.id,
        session=payload.session.id if payload.session else None,
        profile=payload.profile.id if payload.profile else None,
        visitor=payload.visitor.id if payload.visitor else None,
        user=payload.user.id if payload.user else None,
        events=tuple(events),
        rejected=tuple(rejected),
        context=payload.context or {},
        properties=payload.properties or {},
        options=options,
        profile_less=profile_less,
        token=payload.userToken,
    )


def suspicious(body: bytes) -> bool:
    """Return whether JSON text may break a limit of plain data; if not, `first_fault` need not run."""
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:
        return True
    digits = body.translate(DIGITS)
    return (MANY_DIGITS in digits or ALMOST_ZERO in digits) and has_long_number(body, digits)


def usable(id: str) -> bool:
    """Return whether a text can be an id or a name: printable, and without spaces around it."""
    shown = id if id.isprintable() else id.translate(JOINERS)
    return shown.isprintable() and shown[:1] not in ("", " ") and shown[-1] != " "


def _read_body(body: bytes) -> _Body:
    """Decode a body; if it is no JSON, without its malformed events. Raises `Refusal`."""
    try:
        if not body.isascii():
            body.decode()  # the decoder checks only the parts that it decodes
        return _Body(_payload.decode(body), body)
    except msgspec.ValidationError as error:
        raise malformed_payload(error, body) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = mended(body, MAX_EVENTS)
    if found.fault:
        raise malformed_body(found.fault, body)
    try:
        found.body.decode()
        payload = _payload.decode(found.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed_payload(error, found.body) from None
    return _Body(payload, found.body, found.malformed, found.replaced)


def rejected_as_malformed(index: int, event: MalformedEvent) -> RejectedEvent:
    """Return the rejection of an event that could not be decoded."""
    return RejectedEvent(index, event.reason, event.at, kept_body(event.text))


def _options(given: PayloadOptions) -> Options:
    """Return the options of a payload, with the default for each that is absent or null."""
    return Options(
        debugger=given.debugger or False,
        profile=given.profile or False,
        saveSession=given.saveSession is not False,
        saveEvents=given.saveEvents is not False,
    )


def _one(index: int, raw: Raw, body: _Body, options: Options, careful: bool) -> Incoming | RejectedEvent:
    if index in body.malformed:
        return rejected_as_malformed(index, body.malformed[index])
    try:
        event = _event.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _rejected(index, *fault_of_error(error, bytes(raw), EventOptions), raw)
    if fault := _event_fault(event, raw, careful, body.replaced):
        return _rejected(index, *fault, raw)
    context = event.context or {}
    if body.payload.context:
        context = {**body.payload.context, **context}
    save = options.saveEvents and (event.options is None or event.options.saveEvents is not False)
    return Incoming(index, event.id, event.type, event.properties or {}, context, event.time, save)


def _event_fault(event: EventPayload, raw: Raw, careful: bool, replaced: bool) -> Fault | None:
    """Return the place (in the event) and the reason for which an event cannot be accepted; None if it can be."""
    if not usable(event.type):
        return "/type", UNUSABLE
    if event.id is not None and (reason := id_fault(event, replaced)):
        return "/id", reason
    if careful and suspicious(text := bytes(raw)) and (fault := _data_fault(event, text)):
        return fault
    if event.type == CONSENT_CHANGED and (fault := fault_of(event.properties or {})):
        return f"/properties{fault[0]}", fault[1]
    if event.time is not None and read_event_time(event.time) is None:
        return "/time", TIME_REMEDY
    return None


def _data_fault(data: EventPayload | TrackPayload, raw: bytes) -> Fault | None:
    """Return the first fault in the properties and the context of an event or a payload, whose text is `raw`."""
    if not (data.properties or data.context):
        return None
    fault = first_fault(data.properties, "/properties") or first_fault(data.context, "/context")
    if fault is None and has_fraction(raw):
        texts = _data.decode(raw)
        fault = first_fault_in(bytes(texts.properties), "/properties")
        fault = fault or first_fault_in(bytes(texts.context), "/context")
    return fault


def _rejected(index: int, at: str, reason: str, raw: bytes | Raw) -> RejectedEvent:
    return RejectedEvent(index, reason, f"/events/{index}{at}", kept_body(bytes(raw)))


def _check_envelope(payload: TrackPayload, replaced: bool) -> None:
    """Refuse a payload with no events or too many, or with an unusable id; `replaced` as of `_Body`."""
    if not payload.events:
        raise Refusal("malformed", "`events` is empty: a payload carries at least one event", "/events")
    if len(payload.events) > MAX_EVENTS:
        detail = (
            f"a payload carries at most {MAX_EVENTS} events, this one has {len(payload.events)}: send fewer at once"
        )
        raise Refusal("too-large", detail, "/events")
    refs = [("/source/id", payload.source), ("/session/id", payload.session), ("/profile/id", payload.profile)]
    if payload.visitor is not None or payload.user is not None:
        refs += [("/visitor/id", payload.visitor), ("/user/id", payload.user)]
    for at, ref in refs:
        if ref is not None and ref.id is not None and (reason := id_fault(ref, replaced)):
            raise Refusal("malformed", reason, at)


def id_fault(owner: Ref | MaybeRef | EventPayload, replaced: bool) -> str:
    """Make the id of `owner` a text, and return the reason if it cannot be used; empty if it can.

    `replaced` says that U+FFFD may stand for lone surrogates.
    """
    id = owner.id
    if type(id) is not str:
        try:
            id = text_of_number(id)  # type: ignore[arg-type]  # `Id`, before it is read here
        except ValueError as error:
            return str(error)
        force_setattr(owner, "id", id)
    if not usable(id):
        return UNUSABLE
    return CUT if replaced and REPLACEMENT in id else ""


def _check_kept(payload: TrackPayload) -> None:
    """Refuse a large context and large properties: a session keeps them."""
    for name, value in (("context", payload.context), ("properties", payload.properties)):
        if (kept := len(msgspec.json.encode(value))) > MAX_KEPT:
            detail = f"`{name}` of a payload has at most {MAX_KEPT} bytes, since a session keeps it"
            raise Refusal("too-large", f"{detail}; this has {kept}: send more in an event", f"/{name}")


def _check_context(payload: TrackPayload) -> None:
    """Refuse a large context that would be stored with each of many events."""
    events = len(payload.events)
    if events == 1:
        return
    context = len(msgspec.json.encode(payload.context))
    if context * events > MAX_CONTEXT:
        detail = f"the context ({context} bytes) is kept with each of the {events} events, {MAX_CONTEXT} bytes at most"
        raise Refusal("too-large", f"{detail}: shorten it, or send fewer events at once", "/context")


def malformed_body(fault: Fault, body: bytes) -> Refusal:
    """Return the refusal of a body that is no JSON, for the fault in it."""
    at, reason = fault
    return Refusal("malformed", reason if body.strip() else "the body is empty: send a JSON object", at)


def malformed_payload(error: Exception, body: bytes) -> Refusal:
    """Return the refusal of a body that could not be decoded, with the place of `error`."""
    if not body.strip():
        return Refusal("malformed", "the body is empty: send a JSON object")
    at, reason = fault_of_error(error, body, PayloadOptions)
    if at[1:] in _REFS and reason.endswith(("got `str`", "got `int`")):
        given = msgspec.json.decode(body)[at[1:]]
        short = msgspec.json.encode(given[:200] if isinstance(given, str) else given).decode()
        reason = f'the {at[1:]} is an object: write {{"id": {short}}}'
    return Refusal("malformed", reason, at)
