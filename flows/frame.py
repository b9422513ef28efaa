"""Code frames: the line with a problem, underlined, below the line of the block that it belongs to."""

import unicodedata

from flows.position import Position

MAX_COLUMNS = 120  # characters of a printed line; a longer one is cut around the position


def printable(text: str) -> str:
    """`text` without control characters: it cannot move the cursor, change colours or reverse the reading order."""
    return "".join(map(_printable_character, text))


def frame(source: str, position: Position, *, gutter: int) -> list[tuple[str, str]]:
    """The lines of a frame as (margin, text); the last is the underline. `gutter` is the width of line numbers."""
    lines = source.split("\n")
    if not 1 <= position.line <= len(lines):
        return []
    margin = " " * gutter
    framed = [(margin, "")]
    above = _parent(lines, position.line - 1)
    if above is not None:
        framed.append((f"{above + 1:>{gutter}}", _cut(lines[above], 0)[0]))
        if above + 1 < position.line - 1:
            framed.append(("...", ""))
    line = lines[position.line - 1]
    end = position.end_column if position.end_line == position.line else len(line) + 1
    text, dropped = _cut(line, position.column - 1)
    first, last = position.column - 1 - dropped, max(position.column, end - 1) - dropped
    cells = [_printable_character(character) for character in text]
    before = sum(map(_width, cells[:first]))
    under = max(1, sum(map(_width, cells[first:last])))
    framed.append((f"{position.line:>{gutter}}", "".join(cells)))
    framed.append((margin, " " * before + "^" * under))
    return framed


def _parent(lines: list[str], index: int) -> int | None:
    """The index of the nearest line above with less indentation; comments do not count."""
    indentation = _indentation(lines[index])
    for above in range(index - 1, -1, -1):
        text = lines[above].strip()
        if text and not text.startswith("#") and _indentation(lines[above]) < indentation:
            return above
    return None


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _cut(line: str, column: int) -> tuple[str, int]:
    """The part of a long line around `column`, and the number of characters that were cut off in front."""
    if len(line) <= MAX_COLUMNS:
        return line, 0
    start = max(0, min(column - MAX_COLUMNS // 3, len(line) - MAX_COLUMNS))
    part = line[start : start + MAX_COLUMNS]
    return ("…" if start else part[:1]) + part[1:-1] + ("…" if start + MAX_COLUMNS < len(line) else part[-1:]), start


def _printable_character(character: str) -> str:
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
