"""Cutting text that should be JSON, and is not, into the members of its object and the items of one of its lists.

The cut needs matching quotes and brackets, and commas between members; what is between them may be anything. So what is
malformed in one of them does not affect the others. It is the slow path, for texts that the decoder refuses.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

MAX_STEPS: Final = 100_000  # brackets and commas of a text; a step takes up to a microsecond

Span = tuple[int, int]  # first byte, and the byte behind the last one

_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"'
_KEY: Final = re.compile(rb"\s*+(" + _STRING + rb")\s*+:\s*+", re.DOTALL)
_TO_COMMA: Final = re.compile(rb'(?:[^][{}",]++|' + _STRING + rb")*+", re.DOTALL)
_TO_BRACKET: Final = re.compile(rb'(?:[^][{}"]++|' + _STRING + rb")*+", re.DOTALL)
_COMMA, _OPEN, _CLOSE, _SPACE = ord(","), frozenset(b"[{"), frozenset(b"]}"), frozenset(b" \t\r\n")


class CutObject(Struct, frozen=True):
    """The places of an object's members by name, and those of a list's items. Of equal names the last one counts."""

    members: Mapping[str, Span]
    items: tuple[Span, ...]


class NotCut(Exception):
    """The quotes, brackets or commas of a text do not show where its members are."""


def cut_object(text: bytes, list: str = "", most: int = 0) -> CutObject:
    """Return the places of the members of an object, and of the items of its member `list`. Raises `NotCut`.

    One item more than `most` is found, so that a caller can refuse it as one too many; for further ones it is raised.
    """
    return _Cutter(text, list, most).object()


class _Cutter:
    def __init__(self, text: bytes, list: str, most: int) -> None:
        self._text = text
        self._list = list
        self._most = most
        self._at = 0
        self._steps = 0

    def object(self) -> CutObject:
        members: dict[str, Span] = {}
        items: tuple[Span, ...] = ()
        self._skip(b"{")
        while True:
            name = self._key()
            start = self._at
            if name == self._list and self._next() == ord("["):
                items = self._items()
            self._to_end()
            members[name] = start, self._at
            if self._next() != _COMMA:
                break
            self._at += 1
        self._skip(b"}")
        if self._text[self._at :].strip():
            raise NotCut
        return CutObject(members, items)

    def _items(self) -> tuple[Span, ...]:
        """Return the places of a list's items; leave the position behind the list."""
        self._skip(b"[")
        items: list[Span] = []
        while True:
            start = self._at
            self._to_end()
            text = self._text[start : self._at]
            if text.strip() or items or self._next() == _COMMA:  # perhaps nothing stands between two commas
                end = start + len(text.rstrip())
                items.append((min(start + len(text) - len(text.lstrip()), end), end))
            if self._next() != _COMMA:
                break
            if len(items) > self._most:
                raise NotCut
            self._at += 1
        self._skip(b"]")
        return tuple(items)

    def _key(self) -> str:
        found = _KEY.match(self._text, self._at)
        if found is None:
            raise NotCut
        self._at = found.end()
        try:
            return msgspec.json.decode(found[1], type=str)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return found[1].decode("latin-1")

    def _to_end(self) -> None:
        """Go to the comma or closing bracket behind a value."""
        depth = 0
        while True:
            found = (_TO_BRACKET if depth else _TO_COMMA).match(self._text, self._at)
            self._at = found.end() if found else self._at
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise NotCut
            char = self._next()
            if char in _OPEN:
                depth += 1
            elif depth and char in _CLOSE:
                depth -= 1
            elif char == _COMMA or char in _CLOSE:
                return
            else:
                raise NotCut  # the whole, or a text in quotes, ends too early
            self._at += 1

    def _next(self) -> int:
        return self._text[self._at] if self._at < len(self._text) else -1

    def _skip(self, bracket: bytes) -> None:
        """Go behind a bracket that must come next."""
        while self._next() in _SPACE:
            self._at += 1
        if self._next() != bracket[0]:
            raise NotCut
        self._at += 1
