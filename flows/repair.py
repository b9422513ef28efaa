"""The corrected line that a help shows: which part of a line the author meant as one value, and that part in quotes."""

from flows.position import LineIndex
from flows.scalar import quoted

MAX_LINE = 100  # characters of a corrected line; a longer one helps nobody
MAX_LOOKAHEAD = 1000  # characters of a line that are looked at from its value's start; looking takes quadratic time

_PAIRS = {"(": ")", "[": "]", "{": "}"}


def value_end(lines: LineIndex, start: int, *, flow: bool) -> int:
    """Where the value that begins at `start` was meant to end: in braces at a comma or bracket, else with its line."""
    number = lines.number(start)
    line_end = min(lines.start(number) + len(lines.line(number)), start + MAX_LOOKAHEAD)
    text = lines.text
    end = _flow_end(text, start, line_end) if flow else _comment(text, start, line_end)
    return start + len(text[start:end].rstrip())


def put_in_quotes(lines: LineIndex, start: int, *, flow: bool) -> str:
    """The help that shows the line with the value at `start` in quotes."""
    end = value_end(lines, start, flow=flow)
    line = rewritten(lines, start, end, quoted(lines.text[start:end]))
    return f"put the whole value in quotes: `{line}`" if line else "put the whole value in quotes"


def rewritten(lines: LineIndex, start: int, end: int, text: str) -> str:
    """The line of `start` with `text` in place of what stands from `start` to `end`; empty when it is too long."""
    number = lines.number(start)
    first = lines.start(number)
    line = lines.line(number)
    whole = (line[: start - first] + text + line[end - first :]).strip()
    return whole if len(whole) <= MAX_LINE else ""


def closing(text: str, start: int, end: int) -> int | None:
    """The index of what closes the quote or bracket at `start`, or None when nothing does before `end`."""
    if text[start] in "'\"":
        return _closing_quote(text, start, end)
    expected = [_PAIRS[text[start]]]
    at = start + 1
    while at < end:
        character = text[at]
        if character in "'\"" and (quote := _closing_quote(text, at, end)) is not None:
            at = quote
        elif character in _PAIRS:
            expected.append(_PAIRS[character])
        elif character == expected[-1]:
            expected.pop()
            if not expected:
                return at
        at += 1
    return None


def _closing_quote(text: str, start: int, end: int) -> int | None:
    quote = text[start]
    at = start + 1
    while at < end:
        if text[at] == "\\" and quote == '"':
            at += 1
        elif text[at] == quote:
            if quote == '"' or not text.startswith("''", at):
                return at
            at += 1
        at += 1
    return None


def _flow_end(text: str, start: int, end: int) -> int:
    """The next comma or closing bracket that belongs to what surrounds the value; brackets within it are skipped."""
    at = start
    while at < end:
        character = text[at]
        if character in ",]}" or text.startswith(" #", at):
            return at
        if character in "'\"([{" and (last := closing(text, at, end)) is not None:
            at = last
        at += 1
    return end


def _comment(text: str, start: int, end: int) -> int:
    at = start
    while at < end:
        if text[at] in "'\"" and (last := _closing_quote(text, at, end)) is not None:
            at = last
        elif text.startswith(" #", at):
            return at
        at += 1
    return end
