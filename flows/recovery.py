"""Reads on behind a syntax error: the wrong value or line is blanked out, so that later errors are found at once.

The text keeps its length, so that all indexes stay valid.
"""

import re
from typing import Final

from msgspec import Struct

from flows.finding import Finding
from flows.position import LineIndex
from flows.repair import closing, value_end
from flows.tree import Tree, read_tree

MAX_ROUNDS: Final = 10  # syntax errors of one file that are reported

# Codes of errors in one value, which a harmless text can replace; and of errors in a line with all that is below it.
_VALUES: Final = frozenset(
    {"H004", "H006", "H007", "H009", "H010", "H011", "H012", "H013", "H016", "H017", "H018", "H032"}
)
_LINES: Final = frozenset({"H015", "H019"})
_VALUE = re.compile(r"(?: *(?:- +)*(?:[\w.$/-]+|\"[^\"]*\"|'[^']*') *: +| *(?:- +)+)(?=\S)")
_NO_COLON = re.compile(r" *(?:- +)*[A-Za-z_][\w.-]*(?= *[ =>]+\S)")
_NO_SPACE = re.compile(r" *(?:- +)*[\w.-]+:")


class Reading(Struct, frozen=True):
    """The tree of a text, and its findings. `complete`: whether all of its keys are in the tree."""

    tree: Tree
    findings: tuple[Finding, ...]
    complete: bool = True


def read_through(text: str) -> Reading:
    """Read a text, behind syntax errors as far as possible. Its size and characters have been checked before."""
    errors: list[Finding] = []
    reported: set[int] = set()
    complete = True
    while True:
        lines = LineIndex(text)
        tree = read_tree(lines)
        if tree.error is None:
            return Reading(tree, (*errors, *tree.findings), complete)
        number = lines.line_number(tree.error.start)
        if number in reported:  # a consequence of what has been blanked
            return Reading(tree, tuple(errors), False)
        reported.add(number)
        errors.append(tree.error)
        blanked = _without_value(lines, tree.error)
        if blanked is None:
            complete = False
            blanked = _without_line(lines, tree.error)
        if blanked is None or len(errors) == MAX_ROUNDS:
            return Reading(tree, (*errors, *tree.findings), False)
        text = blanked


def _without_value(lines: LineIndex, error: Finding) -> str | None:
    """The text with a harmless value in place of the wrong one; None when more than one line may be wrong."""
    number = lines.line_number(error.start)
    line, first = lines.line_text(number), lines.line_start(number)
    if error.code == "H014" and (key := _NO_SPACE.match(line)):
        return _filled(lines, first + key.end() + 1, first + len(line.rstrip()), before=first + key.end())
    if error.code == "H019" and (entry := _NO_COLON.match(line)) and not _goes_on(lines, number):
        end = first + entry.end()
        return lines.text[:end] + ":" + " " * (len(line) - entry.end() - 1) + lines.text[first + len(line) :]
    value = _VALUE.match(line)
    if error.code not in _VALUES or value is None or _goes_on(lines, number):
        return None
    start = first + value.end()
    end = value_end(lines, start, flow=False)
    if error.code in ("H010", "H016") or not _is_whole(lines.text, start, end):
        start, end = error.start, error.end
    return _filled(lines, start, end)


def _filled(lines: LineIndex, start: int, end: int, before: int | None = None) -> str:
    """The text with a word from `start` to `end`, and a space at `before`."""
    text = lines.text
    if before is not None:
        text = text[:before] + " " + text[before + 1 :]
    return text[:start] + "x" * (end - start) + text[max(start, end) :]


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether no brace or bracket that the value opens is closed behind it, or the other way round."""
    if text[start] in "[{":
        return closing(text, start, end) is not None or all(text[start:end].count(c) == 0 for c in "]}")
    value = text[start:end]
    return value.count("{") == value.count("}") and value.count("[") == value.count("]")


def _goes_on(lines: LineIndex, number: int) -> bool:
    """Whether the next line with a text is deeper than this one, so that it may belong to its value."""
    own = _indentation(lines.line_text(number))
    for below in range(number + 1, lines.count + 1):
        line = lines.line_text(below)
        if line.strip() and not line.lstrip().startswith("#"):
            return _indentation(line) > own
    return False


def _without_line(lines: LineIndex, error: Finding) -> str | None:
    """The text without the line of the error and the deeper ones below it; None when that is not enough."""
    if error.code not in _LINES:
        return None
    number = lines.line_number(error.start)
    parts = lines.text.split("\n")
    own = _indentation(parts[number - 1])
    last = number
    while last < len(parts) and (not parts[last].strip() or _indentation(parts[last]) > own):
        last += 1
    for index in range(number - 1, last):
        parts[index] = " " * len(parts[index])
    return "\n".join(parts)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
