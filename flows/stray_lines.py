"""Lines that are no YAML at all: markers of a merge conflict, and Markdown around or below a file's content.

They are looked for only in a text that is not read as a map without findings, and at the beginning of a line, where no
text of a value can be. They are then blanked, so that the rest of the file can be checked as well.
"""

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from flows.finding import Finding
from flows.position import LineIndex

_CONFLICT = re.compile(r"(<{7}|>{7}|={7}|\|{7})(?: .*)?$")
_FENCE = re.compile(r"(?:```|~~~)")
_TASK = re.compile(r"[-*] \[[ xX]?\](?: |$)")
_RULE = re.compile(r"(?:\*{3,}|_{3,}|={3,})$")
_QUOTE = re.compile(r"> ")
_EMPHASIS = re.compile(r"(?:\*\*|__)\S.*(?:\*\*|__)\.?$")
_NUMBERED = re.compile(r"\d+[.)] ")
_BULLET = re.compile(r"\* ")
_MARKDOWN: Final = (
    (_FENCE, "a fence of Markdown", "delete the lines with ``` around the flow"),
    (_TASK, "a task of Markdown", "delete it, or make it a comment with `#`"),
    (_RULE, "a rule of Markdown", "delete it"),
    (_QUOTE, "a quotation of Markdown", "make it a comment: write `#` in place of `>`"),
    (_EMPHASIS, "a text of Markdown", "make it a comment with `#`"),
    (_NUMBERED, "a list of Markdown", "make it a comment with `#`"),
    (_BULLET, "a list of Markdown", "make it a comment with `#`"),
)


class StrayLines(Struct, frozen=True):
    """The findings of stray lines, and the text without them: each of their characters is a space."""

    findings: tuple[Finding, ...]
    text: str


def stray_lines(lines: LineIndex, text: str) -> StrayLines:
    """The stray lines of `text`. Of a merge conflict the first side is kept."""
    conflicts = list(_conflicts(lines))
    blanked = {number for first, middle, last in conflicts for number in (first, *range(middle, last + 1))}
    findings = [_conflict(lines, first, middle, last) for first, middle, last in conflicts]
    fenced = False  # whether a fence is reported: its remedy is that of all fences
    for number in range(1, lines.count + 1):
        markdown = _markdown(lines, number) if number not in blanked else None
        if markdown is not None:
            blanked.add(number)
            if not (fenced and _FENCE.match(lines.line_text(number))):
                findings.append(markdown)
            fenced = fenced or _FENCE.match(lines.line_text(number)) is not None
    return StrayLines(tuple(findings), _blank(lines, text, blanked) if blanked else text)


def _conflicts(lines: LineIndex) -> Iterator[tuple[int, int, int]]:
    """The first line, the line where the second side begins, and the last line of each merge conflict."""
    first = middle = 0
    for number in range(1, lines.count + 1):
        marker = _CONFLICT.match(lines.line_text(number))
        sign = marker[1][0] if marker else ""
        if sign == "<":
            first, middle = number, 0
        elif sign in ("=", "|") and sign and first and not middle:
            middle = number
        elif sign == ">":
            yield first or number, middle or number, number
            first = middle = 0
    if first:
        yield first, middle or first, middle or first


def _conflict(lines: LineIndex, first: int, middle: int, last: int) -> Finding:
    start = lines.line_start(first)
    message = "a merge conflict is not resolved" + (f": it ends on line {last}" if last > first else "")
    remedy = "keep one of both sides, and delete the lines with `<<<<<<<`, `=======` and `>>>>>>>`"
    return Finding("H034", message, start, start + len(lines.line_text(first)), remedy)


def _markdown(lines: LineIndex, number: int) -> Finding | None:
    line = lines.line_text(number)
    for pattern, noun, remedy in _MARKDOWN:
        if pattern.match(line):
            start = lines.line_start(number)
            return Finding("H035", f"this line is {noun}, not YAML", start, start + len(line), remedy)
    return None


def _blank(lines: LineIndex, text: str, numbers: set[int]) -> str:
    """The text with spaces in place of some lines."""
    parts = text.split("\n")
    for number in numbers:
        parts[number - 1] = " " * len(parts[number - 1])
    return "\n".join(parts)
