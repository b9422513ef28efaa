"""Corrected lines for help texts: finds the part of a line that was meant as one value, and puts it in quotes."""

from flows.position import LineIndex
from flows.scalar import quoted

MAX_LINE = 100  # characters of a corrected line; a longer one is not shown
MAX_LOOKAHEAD = 1000  # characters of a value that are scanned; the scan takes quadratic time

_PAIRS = {"(": ")", "[": "]", "{": "}"}


def value_end(lines: LineIndex, start: int, *, flow: bool) -> int:
    """Where the value at index `start` was meant to end: in flow style at a comma or bracket, else at its line end."""
    number = lines.line_number(start)
    line_end = min(lines.line_start(number) + len(lines.line_text(number)), start + MAX_LOOKAHEAD)
    text = lines.text
    end = _flow_end(text, start, line_end) if flow else _comment(text, start, line_end)
    return start + len(text[start:end].rstrip())


def put_in_quotes(lines: LineIndex, start: int, *, flow: bool) -> str:
    """A help text that shows the line with the value at `start` in quotes."""
    end = value_end(lines, start, flow=flow)
    line = rewritten(lines, start, end, quoted(lines.text[start:end]))
    return f"put the whole value in quotes: `{line}`" if line else "put the whole value in quotes"


def rewritten(lines: LineIndex, start: int, end: int, text: str) -> str:
    """The line of `start` with `text` in place of the characters from `start` to `end`; empty when it is too long."""
    number = lines.line_number(start)
    first = lines.line_start(number)
    line = lines.line_text(number)
    whole = (line[: start - first] + text + line[end - first :]).strip()
    return whole if len(whole) <= MAX_LINE else ""


def closing(text: str, start: int, end: int) -> int | None:
    """The index of the character that closes the quote or bracket at `start`; None when there is none before `end`."""
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
    """The next comma or closing bracket outside of the value; brackets and quotes within it are skipped."""
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
