"""Code frames: the line that is meant, underlined, below the line that it belongs to."""

import unicodedata

from flows.position import Position

MAX_COLUMNS = 120  # columns of a shown line; a longer one is cut around the place


def printable(text: str) -> str:
    """`text` as a terminal may see it: nothing in it can move the cursor, change colours or turn the reading order."""
    return "".join(map(_cell, text))


def frame(source: str, place: Position, *, gutter: int) -> list[tuple[str, str]]:
    """Lines of a frame as (margin, text); the last is the underline. `gutter` is the width of line numbers."""
    lines = source.split("\n")
    if not 1 <= place.line <= len(lines):
        return []
    margin = " " * gutter
    framed = [(margin, "")]
    above = _parent(lines, place.line - 1)
    if above is not None:
        framed.append((f"{above + 1:>{gutter}}", _cut(lines[above], 0)[0]))
        if above + 1 < place.line - 1:
            framed.append(("...", ""))
    line = lines[place.line - 1]
    end = place.end_column if place.end_line == place.line else len(line) + 1
    text, dropped = _cut(line, place.column - 1)
    first, last = place.column - 1 - dropped, max(place.column, end - 1) - dropped
    cells = [_cell(character) for character in text]
    before = sum(map(_width, cells[:first]))
    under = max(1, sum(map(_width, cells[first:last])))
    framed.append((f"{place.line:>{gutter}}", "".join(cells)))
    framed.append((margin, " " * before + "^" * under))
    return framed


def _parent(lines: list[str], index: int) -> int | None:
    """The line that this one stands below: the nearest above with less indentation."""
    indentation = _indentation(lines[index])
    for above in range(index - 1, -1, -1):
        text = lines[above].strip()
        if text and not text.startswith("#") and _indentation(lines[above]) < indentation:
            return above
    return None


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _cut(line: str, column: int) -> tuple[str, int]:
    """The part of a long line around `column`, and how many characters in front of it were dropped."""
    if len(line) <= MAX_COLUMNS:
        return line, 0
    start = max(0, min(column - MAX_COLUMNS // 3, len(line) - MAX_COLUMNS))
    part = line[start : start + MAX_COLUMNS]
    return ("…" if start else part[:1]) + part[1:-1] + ("…" if start + MAX_COLUMNS < len(line) else part[-1:]), start


def _cell(character: str) -> str:
    if character == "\t":
        return "→   "
    category = unicodedata.category(character)
    if character < " ":
        return chr(0x2400 + ord(character))
    return "\ufffd" if category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") else character


def _width(cell: str) -> int:
    return sum(_columns(character) for character in cell)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
