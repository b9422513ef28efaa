"""Values that are valid YAML and do not mean what their author meant. Each pitfall has its message and its remedy."""

import re
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from engine.problem import Severity
from flows.finding import Finding
from flows.located_value import LocatedValue
from flows.position import LineIndex
from flows.repair import MAX_LOOKAHEAD, put_in_quotes, rewritten, value_end
from flows.scalar import quoted

NO_SPACE = re.compile(r"[A-Za-z_][\w.-]*:(?=[^\s:/])")

_COMMENT = re.compile(r"[ \t]+(#[^\n]*)")
_TEMPLATE_KEY = re.compile(r"\{?\{\{[^{}\n]*\}\}[^\s:,{}]*\s*:(?:\s|$)")
_SECRET_TAG = re.compile(r"!(?:secret|env|env_var|vault|ref|sub)\b", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"(?<![\w.,])-?\d+(?:\.\d{3})*,\d{1,2}$")
_EXPONENT = re.compile(r"[eE]")
_PHONE = re.compile(r"\+\d{7,}")
_CRON = re.compile(r"\*(?:/\d+)?(?:\s+\S+){4}")


class ScalarContext(Struct, frozen=True):
    """Whether a scalar is in flow style, and the line of its key: None for a key itself and for a list's item."""

    flow: bool
    key_line: int | None


def template(lines: LineIndex, start: int, in_flow: bool) -> Finding:
    """`message: {{ x }}`: two maps, the outer with the inner as its key."""
    if _TEMPLATE_KEY.match(lines.text, start):
        end = lines.text.index("}}", start) + 2
        remedy = (
            "write a fixed name; `switch` chooses between nodes with a name each, and `profile.add` collects values"
        )
        return Finding("H038", "a key cannot hold a template", start, end, remedy)
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
    """`schedule: @daily`, and other values that begin with a reserved character."""
    end = value_end(lines, start, flow=in_flow)
    character = lines.text[start : start + 1]
    if character == "%" and lines.text[start - 1 : start] == "{":
        remedy = "templates are `{{ … }}` only; to choose, write `if:`, `switch:` or `when:`"
        return Finding("H007", "`{% … %}` has no meaning in a flow", start - 1, end, remedy)
    name = "a backtick" if character == "`" else f"`{character}`"
    message = f"no value may begin with {name} unless it is in quotes"
    return Finding("H007", message, start, end, put_in_quotes(lines, start, flow=in_flow))


def tag(lines: LineIndex, start: int, end: int, in_flow: bool) -> Finding:
    """`if: !event.returning` and `x: !!str 1`."""
    whole = value_end(lines, start, flow=in_flow)
    if not lines.text.startswith("!", start) or lines.text.startswith("!!", start):
        return Finding("H008", "YAML tags are not supported", start, end, "leave the tag out")
    if _SECRET_TAG.match(lines.text, start):
        remedy = "a secret belongs in a target of headrace.yaml, in its `url` or `headers`: `${env:NAME}`"
        return Finding("H008", "`!` begins a tag in YAML, and tags are not supported", start, whole, remedy)
    negated = rewritten(lines, start, whole, "not " + lines.text[start + 1 : whole])
    remedy = f"to negate, write `{negated or 'not …'}`; a text that begins with `!` needs quotes"
    return Finding("H008", "`!` begins a tag in YAML, and tags are not supported", start, whole, remedy)


def plain(lines: LineIndex, start: int, end: int, context: ScalarContext) -> Finding | None:
    """An unquoted text that is not one value: a call cut at its comma, or a key without a space after its colon."""
    text = lines.text[start:end]
    if context.flow:
        cut = text.count("(") > text.count(")") and lines.text[end:].lstrip().startswith(",")
        return _cut(lines, start) if cut else None
    below_its_key = context.key_line is not None and lines.line_number(start) > context.key_line
    inner_key = NO_SPACE.match(text) if below_its_key else None
    return missing_space(lines, start, start + inner_key.end()) if inner_key else None


def cut_by_comment(lines: LineIndex, start: int, end: int, context: ScalarContext) -> Finding | None:
    """`log: Order #{{ event.id }}`: a space and `#` begin a comment, which cuts off the template."""
    comment = _COMMENT.match(lines.text, end, end + MAX_LOOKAHEAD) if end > start else None
    if comment is None or "{{" not in comment[1]:
        return None
    one_line = not context.flow and lines.line_number(start) == lines.line_number(end)
    value = quoted(lines.text[start : comment.end()].rstrip())
    line = rewritten(lines, start, comment.end(), value) if one_line else ""
    remedy = "put the whole value in quotes" + (f": `{line}`" if line else "")
    message = "a space and `#` begin a comment, so the template behind it is cut off"
    return Finding(
        "H031", message, comment.start(1), comment.end(), f"{remedy}; or put the comment on a line of its own"
    )


def entries(lines: LineIndex, holder: LocatedValue) -> Finding | None:
    """`{a:b}`: one key `a:b` without a value."""
    for name, key in holder.keys.items():
        value = holder.inside[name]
        no_value = value.data is None and value.start == value.end
        joined = NO_SPACE.match(name) if no_value and not key.style else None
        if joined:
            return missing_space(lines, key.start, key.start + joined.end())
    return None


def missing_space(lines: LineIndex, start: int, end: int) -> Finding:
    """`if:x`, which YAML reads as a text. `end` is the index after the colon."""
    fixed = rewritten(lines, end, end, " ")
    return Finding(
        "H014",
        f"a space is missing after `{lines.text[start:end]}`",
        start,
        end,
        f"write `{fixed}`" if fixed else "put a space after the colon",
    )


def number(written: str, value: float, start: int, end: int) -> Finding | None:
    """A number whose text has more than its value: `1.10`, `+491701234567`, `1e3`."""
    stored = format(value, "d") if isinstance(value, int) else repr(value)
    exact = Decimal(written) == Decimal(stored)
    trailing_zero = "." in written and written[-1] == "0" and written != stored and exact
    if exact and not written.startswith("+") and not trailing_zero and not _EXPONENT.search(written):
        return None
    remedy = f'if it is a text such as a version, a code or a phone number, write it in quotes: "{written}"'
    remedy = remedy if not exact else f"{remedy}; if it is a number, write `{stored}`"
    severity: Severity = "error" if _PHONE.fullmatch(written) or not exact else "warning"
    return Finding("H036", f"`{written}` is stored as the number {stored}", start, end, remedy, severity)


def not_indented(lines: LineIndex, holder: LocatedValue) -> Finding | None:
    """A key without a value, whose lines are at its own level: seen by a key that then occurs twice in one map."""
    names = list(holder.keys)
    for name, following in pairwise(names):
        above, below, value = holder.keys[name], holder.keys[following], holder.inside[name]
        empty = value.data is None and value.start == value.end and holder.style != "{"
        if empty and lines.line_number(below.start) > lines.line_number(above.start):
            message = f"the lines below `{name}:` are not indented, so they do not belong to it"
            return Finding("H037", message, below.start, below.end, "put two spaces before each of them")
    return None


def key(lines: LineIndex, located: LocatedValue, earlier: LocatedValue | None, *, node: bool) -> Finding | None:
    """A key that is written twice, is the merge key `<<`, or is not a text. `node`: whether it is the id of a node."""
    if earlier is not None:
        line = lines.line_number(earlier.start)
        return Finding(
            "H002",
            f"`{located.data}` is written twice: on line {line} and on line {lines.line_number(located.start)}",
            located.start,
            located.end,
            "keep one of them",
        )
    if located.data == "<<" and not located.style:
        remedy = "write the keys out; a whole value can be shared by `&name` and `*name`"
        return Finding("H020", "the merge key `<<` is not supported", located.start, located.end, remedy)
    if isinstance(located.data, str):
        return None
    if isinstance(located.data, dict | list):
        return Finding("H021", "a key is a text, not a map or a list", located.start, located.start + 1)
    if located.start == located.end:
        return Finding("H021", "a key is missing before the colon", located.start, located.start + 1)
    written = lines.text[located.start : located.end]
    remedy = f'write it in quotes: `"{written}":`'
    if node:
        remedy = f"a node's id begins with a letter: write `n{written}:`"
    if not isinstance(located.data, bool) and (number := _number_before(lines, located)):
        message = "inside braces and brackets a comma ends the value, so this number is cut in two"
        remedy = f"a number has a point, not a comma: write `{number.replace('.', '').replace(',', '.')}`"
        return Finding("H011", message, located.end - len(number), located.end, remedy)
    if isinstance(located.data, bool):
        remedy = f"the ports of an `if` are `then` and `else`; to write a text, {remedy}"
    return Finding("H021", f"the key `{written}` is not a text", located.start, located.end, remedy)


def _number_before(lines: LineIndex, located: LocatedValue) -> str:
    """Return the whole number with a decimal comma, of which a key is the part behind the comma; else an empty text."""
    text = lines.text[lines.text.rfind("\n", 0, located.start) + 1 : located.end]
    match = _DECIMAL_COMMA.search(text)
    return match[0] if match else ""


def _cut(lines: LineIndex, start: int) -> Finding:
    end = value_end(lines, start, flow=True)
    message = "inside braces and brackets a comma ends the value, so this call is cut in two"
    return Finding("H011", message, start, end, put_in_quotes(lines, start, flow=True))
