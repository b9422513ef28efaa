"""Strict YAML: one document of plain data, the place of everything in it, and what is wrong, never an exception."""

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

# What YAML 1.2 does not allow, and the line ends and marks that only some programs see.
_REFUSED = re.compile("[^\t\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


class Document:
    """A YAML text as it was read. `data` is None when `problems` has an error that leaves nothing to look at."""

    def __init__(self, name: str, lines: LineIndex, root: LocatedValue | None, findings: tuple[Finding, ...]) -> None:
        self.name = name
        self.problems = [finding.problem() for finding in findings]
        self._lines = lines
        self._root = root

    @property
    def text(self) -> str:
        """The text, without byte-order mark, its lines ended by `\\n`."""
        return self._lines.text

    @property
    def data(self) -> Any:
        """Maps with text keys, lists, texts, numbers, booleans and None. Aliases share what they name."""
        return self._root.data if self._root is not None else None

    def entries(self) -> Mapping[str, Any] | None:
        """The data when it is a map."""
        return self.data if isinstance(self.data, dict) else None

    def line(self, path: KeyPath) -> int:
        """The line on which the key at `path` stands."""
        return self.position(path, "key").line

    def position(
        self, path: KeyPath, on: Literal["key", "value"] = "value", offset: int | None = None, length: int = 1
    ) -> Position:
        """Where the key or value at `path` stands; a path that leads nowhere is placed at what it leaves from.

        `offset` and `length` count characters of a scalar's value. At the root they count characters of the text.
        """
        if not path and offset is not None:
            return self._clipped(offset, offset + length)
        key, spot, arrived = self._find(path)
        if spot is None:
            return self._clipped(0, 1)
        if arrived and on == "value" and offset is not None and isinstance(spot.data, str):
            start, end = self._inside(spot, offset, length)
            return self._clipped(start, end)
        labelled = on == "key" or not arrived or spot.style == "-" or spot.start == spot.end
        chosen = key if key is not None and labelled else spot
        return self._clipped(chosen.start, chosen.end)

    def _find(self, path: KeyPath) -> tuple[LocatedValue | None, LocatedValue | None, bool]:
        """The last key and spot along `path`, and whether the path leads there."""
        key, spot, steps = None, self._root, 0
        for key, spot in self._root.follow(path) if self._root is not None else ():  # noqa: B007
            steps += 1
        return key, spot, steps == len(path)

    def _inside(self, spot: LocatedValue, offset: int, length: int) -> tuple[int, int]:
        """The stretch of a scalar's text; from its start, when the text does not spell the value."""
        raw = self.text[spot.start : spot.end]
        at = raw_offsets(raw, spot.style, spot.data)
        if at is None:
            return spot.start, spot.start + 1
        first = max(0, min(offset, len(at) - 1))
        last = max(first, min(offset + length, len(at) - 1))
        return spot.start + at[first], spot.start + max(at[last], at[first] + 1)

    def _clipped(self, start: int, end: int) -> Position:
        """The stretch as far as its first line goes: carets cannot go on below."""
        start = max(0, min(start, len(self.text)))
        newline = self.text.find("\n", start)
        return self._lines.position(start, end if newline < 0 else max(start, min(end, newline)))


def read_yaml(text: str, name: str) -> Document:
    """Read the text of one file; `name` is what its author calls the file."""
    lines = LineIndex(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"))
    finding = _too_large(lines.text) or _refused(lines.text)
    if finding is not None:
        return Document(name, lines, None, (finding,))
    tree = read_tree(lines)
    return Document(name, lines, tree.root, tree.findings)


def _too_large(text: str) -> Finding | None:
    if len(text) <= MAX_CHARACTERS:
        return None
    message = f"a file may have {MAX_CHARACTERS:,} characters, this one has {len(text):,}"
    return Finding("H024", message, 0, 1, "split it into several files")


def _refused(text: str) -> Finding | None:
    found = _REFUSED.search(text)
    if found is None:
        return None
    code = ord(found[0])
    remedy = f'in a text, write it as an escape in double quotes: `"\\u{code:04x}"`' if code < 0xD800 else "remove it"
    return Finding("H028", f"the character U+{code:04X} is not allowed", found.start(), found.end(), remedy)
