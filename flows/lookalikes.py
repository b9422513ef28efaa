"""Characters that look like another one, or like nothing: typographic quotes, dashes, no-break and zero-width spaces.

Expressions (conditions, and everything inside `{{ }}`) are left out: their compiler reports such characters itself.
"""

import re
import unicodedata
from bisect import bisect_left
from typing import Final

from flows.finding import Finding
from flows.position import LineIndex
from flows.repair import rewritten, value_end
from flows.scalar import quoted

_QUOTES: Final = "“”„‟«»‹›‘’‚‛"
_SPACES: Final = "\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_ZERO_WIDTH: Final = "\xad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
_SUSPECT = re.compile(f"[{_QUOTES}{_SPACES}{_ZERO_WIDTH}–—−：]")
_UNSEEN = re.compile(f"[{_SPACES}{_ZERO_WIDTH}]")
_BEFORE_NAME = re.compile(r"\b(?:flow|segment|source|schema|target|event|type|next|start|name|kind)\s*:\s*\Z")
_LONGEST_BEFORE = 40  # characters
_INDENTATION = re.compile(
    rf"^ *[{_SPACES}{_ZERO_WIDTH}][{_SPACES}{_ZERO_WIDTH} ]*(?=- |[\w.\"'-]+:(?:\s|$))", re.MULTILINE
)
_DASHED_NAME = re.compile(r"[A-Za-z_][\w.*]*(?:[–—−-][\w.*]+)+", re.ASCII)
_AFTER_COLON = re.compile(rf"(?:- +)*[\w.$/-]+[{_ZERO_WIDTH}]*:([{_SPACES}{_ZERO_WIDTH}])")
_WIDE_COLON = re.compile(r" *(?:- +)*[\w.$/-]+(：)")
_DASH = re.compile(r"([–—−])(?=\s|\d+(?:\.\d+)?$)")
_TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_NAME = re.compile(rf"[\w.*/-]+(?:[{_SPACES}][\w.*/-]+)+", re.ASCII)
_JOINERS: Final = "\u200c\u200d"  # join or separate letters of some scripts, and the parts of emoji
_MARKS: Final = "\u200e\u200f"  # the direction of a text with Hebrew or Arabic letters


class Lookalikes:
    """The suspect characters of one text, found once, so that texts without any cost nothing."""

    def __init__(self, lines: LineIndex) -> None:
        self._lines = lines
        text = lines.text
        self._places = [] if text.isascii() else [match.start() for match in _SUSPECT.finditer(text)]

    def any_in(self, start: int, end: int) -> bool:
        """Whether a suspect character is in this part of the text."""
        at = bisect_left(self._places, start)
        return at < len(self._places) and self._places[at] < end

    def key(self, start: int, end: int) -> Finding | None:
        """A key in typographic quotes, or with a character that cannot be seen."""
        text = self._lines.text[start:end]
        if text[:1] in _QUOTES and text:
            return _in_quotes(self._lines, start, end)
        unseen = _UNSEEN.search(text)
        return _unseen(text, start + unseen.start(), "a key") if unseen else None

    def value(self, start: int, end: int, style: str, *, flow: bool, name: bool) -> Finding | None:
        """A value that a suspect character makes another one than its author sees.

        `name`: whether the value is the name of something, such as an event, in which no such character is meant.
        """
        text = self._lines.text[start:end]
        if style == "":
            finding = self._plain(text, start, end, flow, name)
            if finding is not None:
                return finding
        outside = _TEMPLATE.sub(lambda template: "x" * len(template[0]), text)
        for unseen in _UNSEEN.finditer(outside):
            if not _is_meant(outside, unseen.start()):
                return _unseen_in_value(outside, unseen.start(), start, name)
        return None

    def line(self, number: int) -> Finding | None:
        """The suspect character of a line that is not YAML, if it is the likely cause."""
        first, line = self._lines.line_start(number), self._lines.line_text(number)
        if not self.any_in(first, first + len(line)):
            return None
        content = len(line) - len(line.lstrip(" "))
        colon, unseen = _WIDE_COLON.match(line), _UNSEEN.match(line, content)
        after = _AFTER_COLON.match(line, content)
        if colon is not None:
            at = first + colon.start(1)
            return Finding("H032", f"{named('：')} is not a colon", at, at + 1, "write `: `")
        if unseen is not None:
            return _unseen(line, first + content, "the line begins with it")
        if after is not None:
            return _unseen(line, first + after.start(1), "after a colon")
        key = re.match(r" *(?:- +)*(?:[\w.-]+: +)?", line)
        value = first + (key.end() if key else content)
        return self._typographic(value) if self._lines.text[value : value + 1] in _QUOTES else None

    def _typographic(self, start: int) -> Finding:
        return _in_quotes(self._lines, start, value_end(self._lines, start, flow=False))

    def _plain(self, text: str, start: int, end: int, flow: bool, name: bool) -> Finding | None:
        if text[0] in _QUOTES and not any(quote in _QUOTES for quote in text[1:-1]):
            closed = len(text) > 1 and text[-1] in _QUOTES
            return _in_quotes(self._lines, start, end if closed else value_end(self._lines, start, flow=flow))
        dash = _DASH.match(text)
        begins_line = not self._lines.text[self._lines.line_start(self._lines.line_number(start)) : start].strip()
        if dash is not None and (begins_line or not text[1:2].isspace()):
            use = "an item of a list begins with" if text[1:2].isspace() else "a negative number begins with"
            return Finding("H032", f"{named(text[0])} is not a hyphen", start, start + 1, f"{use} `-`")
        if name and _DASHED_NAME.fullmatch(text) and (wide := re.search("[–—−]", text)):
            at, remedy = start + wide.start(), "write `-`; if it is meant, put the value in quotes"
            return Finding("H032", f"{named(wide[0])} is not a hyphen", at, at + 1, remedy)
        after = _AFTER_COLON.match(text)
        return _unseen(text, start + after.start(1), "after a colon") if after else None


def indentation(lines: LineIndex) -> Finding | None:
    """Lines of keys or items that are indented by a space other than the ordinary one."""
    found = [] if lines.text.isascii() else list(_INDENTATION.finditer(lines.text))
    if not found:
        return None
    start = _UNSEEN.search(lines.text, found[0].start())
    at = start.start() if start else found[0].start()
    remedy = "indent by ordinary spaces"
    if len(found) > 1:
        remedy += f"; the same on {len(found) - 1} more line{'s' * (len(found) > 2)}"
    return Finding("H033", f"{named(lines.text[at])} does not indent in YAML", at, found[0].end(), remedy)


def with_ordinary_indentation(text: str) -> str:
    """The text with ordinary spaces where `indentation` finds others."""
    return _INDENTATION.sub(lambda spaces: " " * len(spaces[0]), text)


def named(character: str) -> str:
    """A character by its code point and its name, e.g. `U+200B ZERO WIDTH SPACE`."""
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()


def plain_key(key: str) -> str:
    """A key without the characters that `Lookalikes.key` reports."""
    return _UNSEEN.sub("", key).strip(_QUOTES)


def _in_quotes(lines: LineIndex, start: int, end: int) -> Finding:
    """A text in typographic quotes, which are a part of it."""
    written = lines.text[start:end]
    line = rewritten(lines, start, end, quoted(written.strip(_QUOTES)))
    is_name = _BEFORE_NAME.search(lines.text, max(0, start - _LONGEST_BEFORE), start)
    kept = "" if is_name else rewritten(lines, start, end, quoted(written))
    remedy = "write straight quotes" + (f": `{line}`" if line else "")
    remedy += f"; for these quotes in the text, `{kept}`" if kept else ""
    message = f"{named(written[0])} does not quote in YAML, so it is a part of the text"
    return Finding("H032", message, start, end, remedy)


def _unseen(text: str, at: int, where: str) -> Finding:
    """A character that cannot be seen; `where` it is: `a key`, `after a colon`, …"""
    character = next(c for c in text if _UNSEEN.match(c))
    is_space = re.match(f"[{_SPACES}]", character) is not None
    message = f"{named(character)} is not an ordinary space" if is_space else f"{named(character)} cannot be seen"
    place = ", and a key has it" if where == "a key" else ""
    remedy = "write an ordinary space" if is_space else "delete it"
    return Finding("H033", message + place, at, at + 1, remedy)


def _is_meant(text: str, at: int) -> bool:
    """Whether an unseen character at index `at` of a value does its work there: between words, or in another script."""
    character, before, after = text[at], text[:at][-1:], text[at + 1 : at + 2]
    if character in _JOINERS:
        return bool(before and after) and not before.isascii()
    if character in _MARKS:
        return any(unicodedata.bidirectional(c) in ("R", "AL") for c in text)
    if re.match(f"[{_SPACES}]", character):
        return bool(before.strip() and after.strip()) and (
            " " in text or (not text.isascii() and not _NAME.fullmatch(text))
        )
    return False


def _unseen_in_value(text: str, at: int, start: int, name: bool) -> Finding:
    character = text[at]
    is_space = re.match(f"[{_SPACES}]", character) is not None
    escape = f"\\u{ord(character):04x}"
    remedy = (
        f"{'write an ordinary space' if is_space else 'delete it'}; if it is meant, write `{escape}` in double quotes"
    )
    message = f"this value has {named(character)}, which {'looks like a space' if is_space else 'cannot be seen'}"
    warned = is_space and not name and text[at - 1 : at].strip() != "" and text[at + 1 : at + 2].strip() != ""
    return Finding("H033", message, start + at, start + at + 1, remedy, "warning" if warned else "error")
