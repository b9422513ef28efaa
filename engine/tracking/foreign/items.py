"""The items of a JSON list of events: each malformed item is rejected alone, and the others are taken."""

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from engine.language.json_spans import NotCut, Span, cut_object
from engine.language.surrogates import without_lone_surrogates
from engine.tracking.intake.data_limits import TOO_DEEP, first_fault_in, pointer
from engine.tracking.intake.decode_error import fault_of_error
from engine.tracking.intake.event_time import read_event_time
from engine.tracking.intake.mending import Fault, fault_of_json, kept_body, text_body
from engine.tracking.intake.payload import MAX_BODY, EventOptions, Refusal, RejectedEvent, whole

MAX_EVENTS: Final = 2_500  # of a request, where its protocol has no limit of its own
EMPTY: Final = "the body is empty"
NO_ID: Final = "must be text or a number"
MAX_BITS: Final = 3000  # of a number that is an id: about 900 digits

_list = msgspec.json.Decoder(list[Raw])
_members = msgspec.json.Decoder(dict[str, Raw])
_object = msgspec.json.Decoder(dict[str, Any])
_any = msgspec.json.Decoder(Any)
_UNDECODED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Item(Struct, frozen=True):
    """An item of a list: its place in the body (a JSON pointer), its own text, and the members of its object.

    U+FFFD stands for lone surrogates in the members.
    """

    at: str
    raw: bytes
    members: dict[str, Any]


class UnusableMember(Exception):
    """A member of an item that cannot be used. `at` is its place in the item, a JSON pointer."""

    def __init__(self, at: str, reason: str) -> None:
        super().__init__(reason)
        self.at = at
        self.reason = reason


T = TypeVar("T")


def members_of(body: bytes) -> dict[str, bytes]:
    """Return the texts of the members of a JSON object, in their order; one of them may be no JSON.

    Raises `Refusal` if the body is no object.
    """
    try:
        _check_utf8(body)
        return {name: bytes(raw) for name, raw in _members.decode(body).items()}
    except msgspec.ValidationError:
        raise Refusal("malformed", "the body must be a JSON object") from None
    except _UNDECODED as error:
        failed = error
    try:
        spans = cut_object(body).members
    except NotCut:
        raise _malformed(failed, body, "") from None
    return {name: body[start:end].strip() for name, (start, end) in spans.items()}


def value_in(members: Mapping[str, bytes], name: str) -> Any:
    """Return the value of a member, of its text; None if it is absent. Raises `Refusal` if it is malformed."""
    text = members.get(name, b"null")
    try:
        return _any.decode(text)
    except _UNDECODED:
        text = without_lone_surrogates(text)
    try:
        return _any.decode(text)
    except _UNDECODED as error:
        raise _malformed(error, text, f"/{pointer(name)}") from None


def clock_in(members: Mapping[str, bytes], name: str) -> Any:
    """Return what a member says of the client's clock, which is kept with each event; None if it is no time.

    A long text or a nested value would be kept as often as there are events, and is in none of the events' own texts.
    Raises `Refusal` if it is malformed.
    """
    sent = value_in(members, name)
    return sent if read_event_time(sent) is not None else None


def keys_in(values: Iterable[Any]) -> tuple[str, ...]:
    """Return the keys among the values of members that may have one, each once."""
    return tuple(dict.fromkeys(key for key in values if isinstance(key, str) and key))


def items_of(text: bytes, most: int, at: str, make: Callable[[Item], T]) -> tuple[T | RejectedEvent, ...]:
    """Return what `make` makes of each item of a JSON list, which is at `at` in the body.

    `make` raises `UnusableMember` for an item that must be rejected. Raises `Refusal` if the text is no list, or one of
    more than `most` items.
    """
    return whole(item_steps(text, most, at, make))


def item_steps(
    text: bytes, most: int, at: str, make: Callable[[Item], T]
) -> Generator[None, None, tuple[T | RejectedEvent, ...]]:
    """Do the same, and yield between two items."""
    texts = _texts_of(text, most, at)
    check_number(len(texts), most, at)
    found: list[T | RejectedEvent] = []
    for index, raw in enumerate(texts):
        if index:
            yield
        found.append(made(index, raw, f"{at}/{index}", make))
    return tuple(found)


def check_number(events: int, most: int, at: str = "") -> None:
    """Raise `Refusal` for more events than `most`; `at` is the place of their list."""
    if events > most:
        raise Refusal("too-large", f"a request carries at most {most:,} events: send fewer at once", at)


def made(index: int, raw: bytes, at: str, make: Callable[[Item], T]) -> T | RejectedEvent:
    """Return what `make` makes of an item, or the rejection of the item."""
    if len(raw) > MAX_BODY:
        return _too_long(index, raw, at)
    try:
        return make(item_of(raw, at))
    except UnusableMember as wrong:
        return _rejected(index, raw, at, wrong)


def made_of_body(body: bytes, make: Callable[[Item], T]) -> T | RejectedEvent:
    """Return what `make` makes of the item that a whole body is, or its rejection.

    Raises `Refusal` if the body is no JSON object.
    """
    item = whole_item(body)
    if len(item.raw) > MAX_BODY:
        return _too_long(0, item.raw, item.at)
    try:
        return make(item)
    except UnusableMember as wrong:
        return _rejected(0, item.raw, item.at, wrong)


def whole_item(body: bytes) -> Item:
    """Return the item that a whole body is. Raises `Refusal` if it is no JSON object."""
    text = body.strip()
    if not text:
        raise Refusal("malformed", EMPTY)
    try:
        return item_of(text, "")
    except UnusableMember as wrong:
        raise Refusal("malformed", wrong.reason, wrong.at) from None


def item_of(raw: bytes, at: str) -> Item:
    """Return the item that a text is. Raises `UnusableMember` with the place in the item if it is no JSON object."""
    try:
        _check_utf8(raw)
        return Item(at, raw, _object.decode(raw))
    except msgspec.ValidationError:  # also for a number that no double holds
        raise UnusableMember(*(first_fault_in(raw, "") or ("", "must be a JSON object"))) from None
    except _UNDECODED:
        text = without_lone_surrogates(raw)
    try:
        _check_utf8(text)
        return Item(at, raw, _object.decode(text))
    except _UNDECODED as error:
        raise UnusableMember(*_fault_of(error, text)) from None


def converted(item: Item, type: type[T]) -> T:
    """Return the object of an item as a Struct. Raises `UnusableMember` for a member of a wrong type."""
    try:
        return msgspec.convert(item.members, type)
    except msgspec.ValidationError as error:
        raise UnusableMember(*fault_of_error(error, item.raw, EventOptions)) from None


def without_nulls(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that are not null."""
    return {name: value for name, value in members.items() if value is not None}


def id_in(members: Mapping[str, Any], name: str, at: str, reason: str | None = NO_ID) -> str | None:
    """Return the id that a member is, as text; None if it is absent, null or empty. `at` is the place of `members`.

    Raises `UnusableMember` with `reason` for any other value; without a `reason`, such a value is as none.
    """
    value = members.get(name)
    if value is None or value == "":
        return None
    long = isinstance(value, int) and value.bit_length() > MAX_BITS
    if long or isinstance(value, bool) or not isinstance(value, str | int | float):
        if reason is None:
            return None
        raise UnusableMember(f"{at}/{pointer(name)}", reason)
    return value if isinstance(value, str) else _digits(value)


def _digits(number: float) -> str:
    """Return the digits of a number: of a double that is whole, as those of the whole number."""
    return str(int(number)) if number == int(number) else repr(number)


def _too_long(index: int, raw: bytes, at: str) -> RejectedEvent:
    """Return the rejection of an item that is longer than a payload of `/track` may be."""
    return RejectedEvent(
        index, f"an event has at most {MAX_BODY:,} bytes, and this one {len(raw):,}", at, text_body(raw)
    )


def _rejected(index: int, raw: bytes, at: str, wrong: UnusableMember) -> RejectedEvent:
    return RejectedEvent(index, wrong.reason, at + wrong.at, kept_body(raw))


def _texts_of(text: bytes, most: int, at: str) -> list[bytes]:
    try:
        _check_utf8(text)
        return [bytes(raw) for raw in _list.decode(text)]
    except msgspec.ValidationError:
        raise Refusal("malformed", "the events must be a JSON array", at) from None
    except _UNDECODED as error:
        failed = error
    wrapped = b'{"events":%s}' % text
    try:
        spans = cut_object(wrapped, "events", most).items
        _list.decode(_without(spans, wrapped)[len(b'{"events":') : -1])
    except (NotCut, *_UNDECODED):
        raise _malformed(failed, text, at) from None
    return [wrapped[start:end] for start, end in spans]


def _without(spans: tuple[Span, ...], text: bytes) -> bytes:
    """Return a text with the number 0 in place of each span."""
    begins = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(text)]
    return b"0".join(text[begin:end] for begin, end in zip(begins, ends, strict=True))


def _malformed(error: Exception, text: bytes, at: str) -> Refusal:
    if not text.strip():
        return Refusal("malformed", EMPTY, at)
    place, reason = _fault_of(error, text)
    return Refusal("malformed", reason, at + place)


def _fault_of(error: Exception, text: bytes) -> Fault:
    if isinstance(error, RecursionError):
        return "", TOO_DEEP
    return fault_of_json(text, "") or ("", str(error))


def _check_utf8(text: bytes) -> None:
    """Raise `UnicodeDecodeError` for text that is not UTF-8: the decoder checks only the parts that it decodes."""
    if not text.isascii():
        text.decode()
