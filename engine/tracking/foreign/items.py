"""The items of a JSON list of events: each malformed item is rejected alone, and the others are taken."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from engine.language.json_spans import NotCut, Span, cut_object
from engine.language.surrogates import REPLACEMENT, without_lone_surrogates
from engine.tracking.intake.data_limits import TOO_DEEP, first_fault_in, pointer
from engine.tracking.intake.mending import Fault, fault_of_json, kept_body
from engine.tracking.intake.payload import CUT, Refusal, RejectedEvent

NO_ID: Final = "must be text or a number"
MAX_BITS: Final = 3000  # of a number that is an id: about 900 digits

_list = msgspec.json.Decoder(list[Raw])
_members = msgspec.json.Decoder(dict[str, Raw])
_object = msgspec.json.Decoder(dict[str, Any])
_UNDECODED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Item(Struct, frozen=True):
    """An item of a list: its place in the body (a JSON pointer), its own text, and the members of its object.

    `replaced` says that U+FFFD stands for lone surrogates in the members.
    """

    at: str
    raw: bytes
    members: dict[str, Any]
    replaced: bool = False


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


def items_of(text: bytes, most: int, at: str, make: Callable[[Item], T]) -> tuple[T | RejectedEvent, ...]:
    """Return what `make` makes of each item of a JSON list, which is at `at` in the body.

    `make` raises `UnusableMember` for an item that must be rejected. Raises `Refusal` if the text is no list, or one of
    more than `most` items.
    """
    texts = texts_of(text, most, at)
    if len(texts) > most:
        raise Refusal("too-large", f"a request carries at most {most} events: send fewer at once", at)
    return tuple(made(index, raw, f"{at}/{index}", make) for index, raw in enumerate(texts))


def made(index: int, raw: bytes, at: str, make: Callable[[Item], T]) -> T | RejectedEvent:
    """Return what `make` makes of an item, or the rejection of the item."""
    try:
        return make(item_of(raw, at))
    except UnusableMember as wrong:
        return RejectedEvent(index, wrong.reason, at + wrong.at, kept_body(raw))


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
        return Item(at, raw, _object.decode(text), replaced=True)
    except _UNDECODED as error:
        raise UnusableMember(*_fault_of(error, text)) from None


def id_in(item: Item, members: dict[str, Any], name: str, at: str, reason: str = NO_ID) -> str | None:
    """Return the id that a member is, as text; None if it is absent, null or empty. `at` is the place of `members`.

    Raises `UnusableMember` with `reason` for any other value.
    """
    value = members.get(name)
    if value is None or value == "":
        return None
    long = isinstance(value, int) and value.bit_length() > MAX_BITS
    if long or isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnusableMember(f"{at}/{pointer(name)}", reason)
    text = value if isinstance(value, str) else _digits(value)
    if item.replaced and REPLACEMENT in text:
        raise UnusableMember(f"{at}/{pointer(name)}", CUT)
    return text


def _digits(number: float) -> str:
    """Return the digits of a number: of a double that is whole, as those of the whole number."""
    return str(int(number)) if number == int(number) else repr(number)


def texts_of(text: bytes, most: int, at: str) -> list[bytes]:
    """Return the texts of the items of a JSON list, which is at `at`; some of them may be no JSON.

    `most` is how many items there may be beside malformed ones. Raises `Refusal` if the text is no list.
    """
    try:
        _check_utf8(text)
        return [bytes(raw) for raw in _list.decode(text)]
    except msgspec.ValidationError:
        raise Refusal("malformed", "must be a JSON array of events", at) from None
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
        return Refusal("malformed", "the body is empty", at)
    place, reason = _fault_of(error, text)
    return Refusal("malformed", reason, at + place)


def _fault_of(error: Exception, text: bytes) -> Fault:
    if isinstance(error, RecursionError):
        return "", TOO_DEEP
    return first_fault_in(text, "") or fault_of_json(text, "") or ("", str(error))


def _check_utf8(text: bytes) -> None:
    """Raise `UnicodeDecodeError` for text that is not UTF-8: the decoder checks only the parts that it decodes."""
    if not text.isascii():
        text.decode()
