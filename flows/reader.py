"""A strict YAML reader: one document of plain data, the position of every value, and problems instead of exceptions."""

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final, Literal

from engine.problem import KeyPath, Problem
from flows.finding import Finding
from flows.located_value import LocatedValue
from flows.lookalikes import indentation, named, with_ordinary_indentation
from flows.offsets import raw_offsets
from flows.position import LineIndex, Position
from flows.recovery import Reading, read_through
from flows.stray_lines import stray_lines

MAX_CHARACTERS: Final = 262_144  # characters of a file
MAX_FORBIDDEN: Final = 20  # characters that are reported

UNQUOTED_TEMPLATE: Final = "H003"

# Findings behind which the data lacks keys that the author wrote.
_HIDING: Final = frozenset({"H001", "H005", "H020", "H023", "H024", "H025", "H026", "H027", "H037"})

# Characters that YAML 1.2 forbids, and the line ends and marks that only some programs recognise.
_FORBIDDEN = re.compile("[^\t\n -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


class Document:
    """A YAML text with its data and problems. `data` is None for an empty text, and when the text cannot be read.

    `failed`: whether a problem is an error. `complete`: whether the data has all keys that the author wrote, though
    perhaps not their values.
    """

    def __init__(
        self,
        name: str,
        lines: LineIndex,
        root: LocatedValue | None,
        findings: tuple[Finding, ...],
        *,
        complete: bool = True,
    ) -> None:
        self.name = name
        self.problems = [finding.problem() for finding in findings]
        self.failed = any(finding.severity == "error" for finding in findings)
        self.complete = complete and not any(finding.code in _HIDING for finding in findings)
        self._lines = lines
        self._root = root
        self._templates = [lines.position(f.start, f.end) for f in findings if f.code == UNQUOTED_TEMPLATE]
        self._failed_lines = {
            number
            for finding in findings
            if finding.severity == "error"
            for number in range(lines.line_number(finding.start), lines.line_number(finding.end) + 1)
        }

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

    def independent(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems of the data that are no consequence of an error of the text.

        Those of a graph (H3xx) are left out after any error, since an edge or an output may be missing.
        """
        if not self.failed:
            return list(problems)
        return [p for p in problems if not p.code.startswith("H3") and self._is_independent(p)]

    def _is_independent(self, problem: Problem) -> bool:
        """Whether a problem is not on a line with an error; or about a template, whose text is known in spite of it."""
        position = self.position(problem.path, problem.on, problem.offset, problem.length)
        for template in self._templates:
            if position.line == template.line and template.column <= position.column < template.end_column:
                return True
        return self._failed_lines.isdisjoint(self._lines_of(problem))

    def _lines_of(self, problem: Problem) -> set[int]:
        """The line at which a problem is reported, and that on which the value begins."""
        reported = self.position(problem.path, problem.on, problem.offset, problem.length).line
        _, value, _ = self._find(problem.path)
        return {reported} if value is None else {reported, self._lines.line_number(value.start)}

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
    too_large = _too_large(lines.text)
    if too_large is not None:
        return Document(name, lines, None, (too_large,))
    findings = _forbidden_characters(lines.text)
    readable = _FORBIDDEN.sub("x", lines.text) if findings else lines.text
    unusual = indentation(lines)
    if unusual is not None:
        findings += (unusual,)
        readable = with_ordinary_indentation(readable)
    reading = read_through(readable)
    if reading.findings or not _is_map(reading):
        stray = stray_lines(lines, readable)
        findings += stray.findings
        reading = read_through(stray.text) if stray.findings else reading
    findings = tuple(sorted((*findings, *reading.findings), key=lambda finding: finding.start))
    return Document(name, lines, reading.tree.root, findings, complete=reading.complete)


def _is_map(reading: Reading) -> bool:
    return reading.tree.root is not None and isinstance(reading.tree.root.data, dict)


def _too_large(text: str) -> Finding | None:
    if len(text) <= MAX_CHARACTERS:
        return None
    message = f"a file may have {MAX_CHARACTERS:,} characters, this one has {len(text):,}"
    return Finding("H024", message, 0, 1, "split it into several files")


def _forbidden_characters(text: str) -> tuple[Finding, ...]:
    """A finding for each of the first characters that YAML forbids."""
    found = islice(_FORBIDDEN.finditer(text), MAX_FORBIDDEN)
    return tuple(_forbidden(match.start(), match[0]) for match in found)


def _forbidden(at: int, character: str) -> Finding:
    code = ord(character)
    remedy = f'in a text, write it as an escape in double quotes: `"\\u{code:04x}"`' if code < 0xD800 else "delete it"
    return Finding("H028", f"the character {named(character)} is not allowed", at, at + 1, remedy)
