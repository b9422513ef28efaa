"""Maps each character of a scalar's value to its index in the file.

YAML folds lines, drops indentation and decodes escapes, so an offset in the value is not an offset in the file. The raw
text is scanned again by the rules of its style; the result is used only if it spells the value.
"""

import re
from collections.abc import Callable

Mapped = list[tuple[str, int]]  # characters of the value, each with its index in the raw text

_BLANK = " \t"
_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_WIDTHS = {"x": 2, "u": 4, "U": 8}
_HEADER = re.compile(r"[|>][-+0-9]*[ \t]*(?:#[^\n]*)?\n")


def raw_offsets(raw: str, style: str, value: str) -> list[int] | None:
    """The index in `raw` of each character of `value`, and of its end; None when `raw` does not spell `value`.

    `style` is the style of the scalar: `'`, `"`, `|`, `>`, or empty for a plain one.
    """
    for mapped in _SCANNERS[style](raw):
        spelled = "".join(character for character, _ in mapped)
        if spelled == value or (style in ("|", ">") and spelled.startswith(value)):
            indexes = [index for _, index in mapped[: len(value)]]
            return [*indexes, _end_index(raw, style, mapped, len(value))]
    return None


def _end_index(raw: str, style: str, mapped: Mapped, length: int) -> int:
    if length == 0:
        return min(1, len(raw)) if style in ("'", '"') else 0
    if style in ("'", '"'):
        return len(raw) - 1
    return mapped[length - 1][1] + 1


def _plain(raw: str) -> list[Mapped]:
    return [_folded_flow(raw, 0, len(raw), _next_plain)]


def _single(raw: str) -> list[Mapped]:
    return [_folded_flow(raw, 1, len(raw) - 1, _next_single)]


def _double(raw: str) -> list[Mapped]:
    return [_folded_flow(raw, 1, len(raw) - 1, _next_double)]


def _next_plain(raw: str, at: int) -> tuple[str, int]:
    return raw[at], 1


def _next_single(raw: str, at: int) -> tuple[str, int]:
    return raw[at], 2 if raw.startswith("''", at) else 1


def _next_double(raw: str, at: int) -> tuple[str, int]:
    """The character at `at` and its width; an escaped line end is dropped together with the next line's indentation."""
    if raw[at] != "\\":
        return raw[at], 1
    escape = raw[at + 1 : at + 2]
    if escape == "\n":
        rest = raw[at + 2 :]
        return "", 2 + len(rest) - len(rest.lstrip(_BLANK + "\n"))
    width = _WIDTHS.get(escape)
    if width is None:
        return _ESCAPES.get(escape, ""), 2
    try:
        return chr(int(raw[at + 2 : at + 2 + width], 16)), 2 + width
    except (ValueError, OverflowError):
        return "", 2 + width


def _folded_flow(raw: str, at: int, end: int, next_character: Callable[[str, int], tuple[str, int]]) -> Mapped:
    """Plain and quoted scalars: one line end becomes a space, n become n - 1 line ends; blanks around go."""
    mapped: Mapped = []
    while at < end:
        blanks = at
        while at < end and raw[at] in _BLANK:
            at += 1
        if at < end and raw[at] == "\n":
            breaks = []
            while at < end and raw[at] in _BLANK + "\n":
                if raw[at] == "\n":
                    breaks.append(at)
                at += 1
            mapped += [(" ", breaks[0])] if len(breaks) == 1 else [("\n", index) for index in breaks[1:]]
            continue
        mapped += [(raw[index], index) for index in range(blanks, at)]
        if at < end:
            character, width = next_character(raw, at)
            mapped += [(character, at)] if character else []
            at += width
    return mapped


def _block(raw: str) -> list[Mapped]:
    """Block scalars, read with every possible indentation: that of the first line with text, then each smaller one."""
    header = _HEADER.match(raw)
    if header is None:
        return []
    lines: list[tuple[int, str]] = []
    at = header.end()
    for line in raw[at:].split("\n"):
        lines.append((at, line))
        at += len(line) + 1
    if lines[-1][1].strip(" ") == "":
        lines.pop()  # after the last line end comes the next entry's indentation
    first = next((line for _, line in lines if line.strip(" ")), "")
    widest = max(1, len(first) - len(first.lstrip(" ")))
    join = _literal_lines if raw[0] == "|" else _folded_lines
    return [join(_unindented(lines, indent)) for indent in range(widest, 0, -1)]


def _unindented(lines: list[tuple[int, str]], indent: int) -> list[Mapped]:
    """The lines without their indentation, up to a line that is indented less, which is a comment below the scalar."""
    cells: list[Mapped] = []
    for start, line in lines:
        dropped = min(indent, len(line) - len(line.lstrip(" ")))
        if dropped < indent and dropped < len(line):
            break
        cells.append([(character, start + dropped + at) for at, character in enumerate((line + "\n")[dropped:])])
    return cells


def _literal_lines(lines: list[Mapped]) -> Mapped:
    return [cell for line in lines for cell in line]


def _folded_lines(lines: list[Mapped]) -> Mapped:
    """A line end between two lines of text becomes a space; empty and more-indented lines keep their line ends."""
    mapped: Mapped = []
    pending: Mapped = []  # the line end of the last line of text, and those of the empty lines after it
    indented = False
    for line in lines:
        if len(line) == 1:
            pending += line
            continue
        starts_blank = line[0][0] in _BLANK
        if pending and not indented and not starts_blank and mapped:
            pending = pending[1:] or [(" ", pending[0][1])]
        mapped += pending + line[:-1]
        pending = line[-1:]
        indented = starts_blank
    return mapped + pending


_SCANNERS: dict[str, Callable[[str], list[Mapped]]] = {"": _plain, "'": _single, '"': _double, "|": _block, ">": _block}
