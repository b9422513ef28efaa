"""What YAML reads without complaint, yet not as its author meant it. Each trap has its message and its remedy."""

import re

from msgspec import Struct

from flows.finding import Finding
from flows.located_value import LocatedValue
from flows.position import LineIndex
from flows.repair import MAX_LOOKAHEAD, put_in_quotes, rewritten, value_end
from flows.scalar import quoted

NO_SPACE = re.compile(r"[A-Za-z_][\w.-]*:(?=[^\s:/])")

_COMMENT = re.compile(r"[ \t]+(#[^\n]*)")
_CRON = re.compile(r"\*(?:/\d+)?(?:\s+\S+){4}")


class Around(Struct, frozen=True):
    """What a scalar is part of. `key_line` is the line of its key; None where it is a key or a list's item."""

    flow: bool
    key_line: int | None


def template(lines: LineIndex, start: int, in_flow: bool) -> Finding:
    """`message: {{ x }}`: two maps, the outer with the inner as its key."""
    end = value_end(lines, start, flow=in_flow)
    message = "without quotes, YAML reads `{{ }}` as maps"
    return Finding("H003", message, start, end, put_in_quotes(lines, start, flow=in_flow))


def alias(lines: LineIndex, start: int, in_flow: bool) -> Finding:
    """`event: *` and `schedule: */5 * * * *`."""
    end = value_end(lines, start, flow=in_flow)
    what = "schedule" if _CRON.fullmatch(lines.text[start:end]) else "text"
    message = f"`*` begins an alias in YAML, so a {what} that begins with it needs quotes"
    return Finding("H006", message, start, end, put_in_quotes(lines, start, flow=in_flow))


def reserved(lines: LineIndex, start: int, in_flow: bool) -> Finding:
    """`schedule: @daily`, and other values whose first character YAML keeps for itself."""
    end = value_end(lines, start, flow=in_flow)
    character = lines.text[start : start + 1]
    shown = "a backtick" if character == "`" else f"`{character}`"
    message = f"no value may begin with {shown} unless it stands in quotes"
    return Finding("H007", message, start, end, put_in_quotes(lines, start, flow=in_flow))


def tag(lines: LineIndex, start: int, end: int, in_flow: bool) -> Finding:
    """`if: !event.returning` and `x: !!str 1`."""
    whole = value_end(lines, start, flow=in_flow)
    if not lines.text.startswith("!", start) or lines.text.startswith("!!", start):
        return Finding("H008", "YAML tags are not read", start, end, "leave the tag out")
    negated = rewritten(lines, start, whole, "not " + lines.text[start + 1 : whole])
    remedy = f"to negate, write `{negated or 'not …'}`; a text that begins with `!` needs quotes"
    return Finding("H008", "`!` begins a tag in YAML, and tags are not read", start, whole, remedy)


def plain(lines: LineIndex, start: int, end: int, around: Around) -> Finding | None:
    """A plain text that only looks like one value: a call cut at its comma, or a key that lacks its space."""
    text = lines.text[start:end]
    if around.flow:
        cut = text.count("(") > text.count(")") and lines.text[end:].lstrip().startswith(",")
        return _cut(lines, start) if cut else None
    below_its_key = around.key_line is not None and lines.number(start) > around.key_line
    found = NO_SPACE.match(text) if below_its_key else None
    return missing_space(lines, start, start + found.end()) if found else None


def cut_by_comment(lines: LineIndex, start: int, end: int, around: Around) -> Finding | None:
    """`log: Order #{{ event.id }}`: a space and `#` begin a comment, which takes the template along."""
    found = _COMMENT.match(lines.text, end, end + MAX_LOOKAHEAD) if end > start else None
    if found is None or "{{" not in found[1]:
        return None
    alone = not around.flow and lines.number(start) == lines.number(end)
    line = rewritten(lines, start, found.end(), quoted(lines.text[start : found.end()].rstrip())) if alone else ""
    remedy = "put the whole value in quotes" + (f": `{line}`" if line else "")
    message = "a space and `#` begin a comment, so the template behind it is cut off"
    return Finding("H031", message, found.start(1), found.end(), f"{remedy}; or put the comment on a line of its own")


def entries(lines: LineIndex, holder: LocatedValue) -> Finding | None:
    """`{a:b}`: one key `a:b` without a value."""
    for name, key in holder.keys.items():
        value = holder.inside[name]
        found = NO_SPACE.match(name) if not key.style and value.data is None and value.start == value.end else None
        if found:
            return missing_space(lines, key.start, key.start + found.end())
    return None


def missing_space(lines: LineIndex, start: int, end: int) -> Finding:
    """`if:x`: a text. `end` is the index after the colon."""
    fixed = rewritten(lines, end, end, " ")
    return Finding(
        "H014",
        f"a space is missing after `{lines.text[start:end]}`",
        start,
        end,
        f"write `{fixed}`" if fixed else "put a space after the colon",
    )


def key(lines: LineIndex, spot: LocatedValue, earlier: LocatedValue | None) -> Finding | None:
    """A key that is written twice, is the merge key, or is no text."""
    if earlier is not None:
        line = lines.number(earlier.start)
        return Finding(
            "H002",
            f"`{spot.data}` is written twice: on line {line} and on line {lines.number(spot.start)}",
            spot.start,
            spot.end,
            "keep one of them",
        )
    if spot.data == "<<" and not spot.style:
        remedy = "write the keys out; a whole value can be shared by `&name` and `*name`"
        return Finding("H020", "the merge key `<<` is not read", spot.start, spot.end, remedy)
    if isinstance(spot.data, str):
        return None
    if isinstance(spot.data, dict | list):
        return Finding("H021", "a key is a text, not a map or a list", spot.start, spot.start + 1)
    if spot.start == spot.end:
        return Finding("H021", "a key is missing before the colon", spot.start, spot.start + 1)
    written = lines.text[spot.start : spot.end]
    ports = "; the ports of an `if` are `then` and `else`" if isinstance(spot.data, bool) else ""
    remedy = f'write it in quotes: `"{written}":`{ports}'
    return Finding("H021", f"the key `{written}` is not a text", spot.start, spot.end, remedy)


def _cut(lines: LineIndex, start: int) -> Finding:
    end = value_end(lines, start, flow=True)
    message = "inside braces and brackets a comma ends the value, so this call is cut in two"
    return Finding("H011", message, start, end, put_in_quotes(lines, start, flow=True))
