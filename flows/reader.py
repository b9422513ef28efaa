"""A strict YAML reader: one document of plain data, the position of every value, and problems instead of exceptions."""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from engine.problem import KeyPath
from flows.finding import Finding
from flows.located_value import LocatedValue
from flows.offsets import raw_offsets
from flows.position import LineIndex, Position
from flows.tree import read_tree

MAX_CHARACTERS: Final = 262_144  # characters of a file

# Characters that YAML 1.2 forbids, and the line ends and marks that only some programs recognise.
_FORBIDDEN = re.compile("[^\t\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


class Document:
    """A YAML text with its data and problems. `data` is None for an empty text, and when the text cannot be read."""

    def __init__(self, name: str, lines: LineIndex, root: LocatedValue | None, findings: tuple[Finding, ...]) -> None:
        self.name = name
        self.problems = [finding.problem() for finding in findings]
        self._lines = lines
        self._root = root

    @property
    def text(self) -> str:
        """The text, without a byte-order mark and with `\\n` as line end."""
        return self._lines.text

    @property
    def data(self) -> Any:
        """Maps with text keys, lists, texts, numbers, booleans and None. Aliases share the value that they name."""
        return self._root.data if self._root is not None else None

    def entries(self) -> Mapping[str, Any] | None:
        """The data if it is a map, else None."""
        return self.data if isinstance(self.data, dict) else None

    def line(self, path: KeyPath) -> int:
        """The number of the line with the key at `path`, counted from 1."""
        return self.position(path, "key").line

    def position(
        self, path: KeyPath, on: Literal["key", "value"] = "value", offset: int | None = None, length: int = 1
    ) -> Position:
        """The position of the key or value at `path`, or of the last one along `path` that exists.

        `offset` and `length` count characters of a scalar's value; at the root they count characters of the text. The
        position ends with its first line.
        """
        if not path and offset is not None:
            return self._first_line(offset, offset + length)
        key, value, complete = self._find(path)
        if value is None:
            return self._first_line(0, 1)
        if complete and on == "value" and offset is not None and isinstance(value.data, str):
            start, end = self._inside(value, offset, length)
            return self._first_line(start, end)
        by_key = on == "key" or not complete or value.style == "-" or value.start == value.end
        chosen = key if key is not None and by_key else value
        return self._first_line(chosen.start, chosen.end)

    def _find(self, path: KeyPath) -> tuple[LocatedValue | None, LocatedValue | None, bool]:
        """The last key and value along `path`, and whether that is the end of `path`."""
        key, value, steps = None, self._root, 0
        for key, value in self._root.follow(path) if self._root is not None else ():  # noqa: B007
            steps += 1
        return key, value, steps == len(path)

    def _inside(self, scalar: LocatedValue, offset: int, length: int) -> tuple[int, int]:
        """The indexes of a part of a scalar; of its first character, when the text does not spell the value."""
        raw = self.text[scalar.start : scalar.end]
        offsets = raw_offsets(raw, scalar.style, scalar.data)
        if offsets is None:
            return scalar.start, scalar.start + 1
        first = max(0, min(offset, len(offsets) - 1))
        last = max(first, min(offset + length, len(offsets) - 1))
        return scalar.start + offsets[first], scalar.start + max(offsets[last], offsets[first] + 1)

    def _first_line(self, start: int, end: int) -> Position:
        """The position from `start` to `end` or the end of the line, since carets underline a single line."""
        start = max(0, min(start, len(self.text)))
        newline = self.text.find("\n", start)
        return self._lines.position(start, end if newline < 0 else max(start, min(end, newline)))


def read_yaml(text: str, name: str) -> Document:
    """Read the text of one file, whose path in the project is `name`."""
    lines = LineIndex(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"))
    finding = _too_large(lines.text) or _forbidden_character(lines.text)
    if finding is not None:
        return Document(name, lines, None, (finding,))
    tree = read_tree(lines)
    return Document(name, lines, tree.root, tree.findings)


def _too_large(text: str) -> Finding | None:
    if len(text) <= MAX_CHARACTERS:
        return None
    message = f"a file may have {MAX_CHARACTERS:,} characters, this one has {len(text):,}"
    return Finding("H024", message, 0, 1, "split it into several files")


def _forbidden_character(text: str) -> Finding | None:
    character = _FORBIDDEN.search(text)
    if character is None:
        return None
    code = ord(character[0])
    remedy = f'in a text, write it as an escape in double quotes: `"\\u{code:04x}"`' if code < 0xD800 else "remove it"
    return Finding("H028", f"the character U+{code:04X} is not allowed", character.start(), character.end(), remedy)
