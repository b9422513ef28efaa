"""Why a text is not YAML, said for its author: the parser's complaint is late and speaks of its own states.

Each detector looks at the complaint and the line it points at; the first that recognises a mistake explains it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from flows import yaml_pitfalls
from flows.finding import Finding
from flows.position import LineIndex
from flows.repair import MAX_LOOKAHEAD, closing, put_in_quotes, rewritten, value_end
from flows.scalar import quoted

_ENTRY = re.compile(r"(?P<lead> *(?:- +)*)(?:(?P<key>[\w.$/-]+|\"[^\"]*\"|'[^']*') *:\s+)?(?P<value>\S.*)?")
_NO_SPACE_LINE = re.compile(r" *(?:- +)*(?=[A-Za-z_])")
_FLOW_KEY = re.compile(r"(?:[\w.$/-]+|\"[^\"]*\"|'[^']*') *:\s+")
_CONDITION = re.compile(r" *(?:if|when|switch|condition): (?!.*: )")
_CLOSING = {"[": "]", "{": "}"}
_LOOK_BACK = 50  # lines in which the quote that swallowed the rest is looked for


@dataclass(frozen=True, slots=True)
class _Complaint:
    """What the parser said, and the line it points at.

    `value` is where that line's value begins, if it has one near; nothing behind `end` is looked at.
    """

    lines: LineIndex
    what: str
    context: str
    at: int
    since: int  # where what it was reading began
    flow: bool
    number: int
    first: int
    end: int
    value: int | None


def explain(lines: LineIndex, error: yaml.MarkedYAMLError, in_flow: bool) -> Finding:
    """The mistake that made the parser give up, with its remedy where one is known."""
    complaint = _complaint(lines, error, in_flow)
    for detect in _DETECTORS:
        finding = detect(complaint)
        if finding is not None:
            return finding
    return Finding("H001", f"this is not YAML: {complaint.what}", complaint.at, complaint.at + 1)


def _complaint(lines: LineIndex, error: yaml.MarkedYAMLError, in_flow: bool) -> _Complaint:
    mark = error.problem_mark or error.context_mark
    at = min(mark.index, len(lines.text)) if mark else 0
    since = min(error.context_mark.index, at) if error.context_mark else at
    what, context = error.problem or "", error.context or ""
    alias = "alias" in context or "anchor" in context
    number = lines.number(since if alias else at)
    first = lines.start(number)
    entry = _ENTRY.match(lines.line(number))
    value = first + entry.start("value") if entry and entry["value"] else None
    if value is not None and at - value > MAX_LOOKAHEAD:
        value = None
    end = min(first + len(lines.line(number)), (first if value is None else value) + MAX_LOOKAHEAD)
    opened = lines.text[value or first : at]
    flow = in_flow or "flow" in context or opened.count("{") + opened.count("[") > opened.count("}") + opened.count("]")
    return _Complaint(lines, what, context, at, since, flow, number, first, max(end, at), value)


def _tab(c: _Complaint) -> Finding | None:
    line = c.lines.line(c.number)
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation:
        at = c.first + indentation.index("\t")
    elif c.lines.text.startswith("\t", c.at):
        at = c.at
    else:
        return None
    return Finding("H005", "YAML is not indented by tabs", at, at + 1, "put spaces in place of the tab")


def _escape(c: _Complaint) -> Finding | None:
    if "escape" not in c.what and "hexdecimal" not in c.what and "Unicode character code" not in c.what:
        return None
    escape = c.lines.text[c.at : c.at + 2]
    remedy = "write `\\\\` for a backslash, or put the text in single quotes, which know no escapes"
    return Finding("H017", f"`{escape}` is no escape of YAML", c.at, c.at + 2, remedy)


def _unclosed_quote(c: _Complaint) -> Finding | None:
    if "quoted scalar" in c.context and ("end of stream" in c.what or "document indicator" in c.what):
        return _never_closed(c.lines, c.since)
    before = c.lines.text[: c.at].rstrip(" ")[-1:]
    if before not in ("'", '"') or not before:
        return None
    for number in range(c.number - 1, max(0, c.number - _LOOK_BACK), -1):
        first, line = c.lines.start(number), c.lines.line(number)
        entry = _ENTRY.match(line)
        if entry is None or not (entry["value"] or "").startswith(before):
            continue
        start = first + entry.start("value")
        if closing(c.lines.text, start, first + len(line)) is None:
            return _never_closed(c.lines, start)
    return None


def _never_closed(lines: LineIndex, start: int) -> Finding:
    quote = lines.text[start]
    end = value_end(lines, start, flow=False)
    fixed = rewritten(lines, end, end, quote)
    return Finding("H012", f"this {quote} is never closed", start, end, f"close it: `{fixed}`" if fixed else "close it")


def _first_character(c: _Complaint) -> Finding | None:
    """A value whose first character means something else to YAML."""
    if "alias" in c.context:
        return yaml_pitfalls.alias(c.lines, c.since, c.flow)
    if "cannot start any token" in c.what:
        return yaml_pitfalls.reserved(c.lines, c.at, c.flow)
    if c.value is not None and c.lines.text[c.value] in "|>" and "block scalar" in c.context:
        mark = c.lines.text[c.value]
        message = f"`{mark}` begins a text on the lines below, so nothing may follow it here"
        return Finding("H018", message, c.value, c.end, put_in_quotes(c.lines, c.value, flow=False))
    if "directive" in c.context:
        return yaml_pitfalls.reserved(c.lines, c.since, False)
    if "tag" in c.context:
        return yaml_pitfalls.tag(c.lines, c.since, c.at, c.flow)
    if c.value is not None and c.lines.text.startswith("*", c.value) and c.at > c.value:
        return yaml_pitfalls.alias(c.lines, c.value, c.flow)
    return None


def _block_value(c: _Complaint) -> Finding | None:
    """`if: 'vip' in x`, `a: {{ x }}/y`, `a: [x] y`: the value seems to end before it does."""
    start = c.value
    if start is None or c.at <= start or c.lines.text[start] not in "'\"[{":
        return None
    if c.lines.text.startswith("{{", start):
        return yaml_pitfalls.template(c.lines, start, False)
    close = closing(c.lines.text, start, c.end)
    if close is None or _rest(c, close + 1)[:1] in ("", "]", "}"):
        return None
    return _text_after(c, start, close, flow=False)


def _rest(c: _Complaint, start: int) -> str:
    """What follows on the line, comments apart."""
    rest = c.lines.text[start : c.end]
    return "" if rest.lstrip().startswith("#") and rest[:1] == " " else rest.strip()


def _text_after(c: _Complaint, start: int, close: int, *, flow: bool) -> Finding:
    text, end = c.lines.text, value_end(c.lines, start, flow=flow)
    whole = text[start:end]
    message = f"the value ends at its closing `{text[close]}`, but text follows"
    remedy = put_in_quotes(c.lines, start, flow=flow)
    if not flow and "'" in whole and '"' in whole and _CONDITION.match(c.lines.line(c.number)):
        remedy = f"put the condition in parentheses: `{rewritten(c.lines, start, end, f'({whole})')}`"
    if whole[0] in "'\"" and whole[-1] == whole[0] and text[close + 1] not in " \t,:":
        message = f"the `{whole[0]}` inside the text closes it"
        fixed = rewritten(c.lines, start, end, quoted(whole[1:-1].replace("''", "'")))
        remedy = f"use the other quotes: `{fixed}`" if fixed else "use the other quotes"
    return Finding("H004", message, close + 1, end, remedy)


def _flow_value(c: _Complaint) -> Finding | None:
    """The first piece inside braces or brackets that needs quotes."""
    if not c.flow or c.value is None:
        return None
    at = c.value
    while at < c.end:
        if c.lines.text[at] in " \t,[{]}" and not c.lines.text.startswith("{{", at):
            at += 1
            continue
        if key := _FLOW_KEY.match(c.lines.text, at, c.end):
            at = key.end()
            continue
        end = value_end(c.lines, at, flow=True)
        finding = _piece(c, at, end)
        if finding is not None or end <= at:
            return finding
        at = end
    return None


def _piece(c: _Complaint, start: int, end: int) -> Finding | None:
    text = c.lines.text
    piece = text[start:end]
    remedy = put_in_quotes(c.lines, start, flow=True)
    if piece[:1] in ("'", '"'):
        close = closing(text, start, end)
        return _text_after(c, start, close, flow=True) if close is not None and close + 1 < end else None
    if "{{" in piece:
        return yaml_pitfalls.template(c.lines, start, True)
    if "${" in piece:
        return Finding("H016", "inside braces and brackets `${…}` needs quotes", start, end, remedy)
    if piece.startswith("$") and ("[" in piece or "{" in piece):
        return Finding("H010", "inside braces and brackets a JSONPath with `[` needs quotes", start, end, remedy)
    if "[" in piece or "{" in piece:
        return Finding("H010", "inside braces and brackets a value with a bracket needs quotes", start, end, remedy)
    return None


def _missing_space(c: _Complaint) -> Finding | None:
    if "mapping values" not in c.what and "could not find expected ':'" not in c.what:
        return None
    for number in (c.number - 1, c.number):
        if number < 1:
            continue
        line, first = c.lines.line(number), c.lines.start(number)
        lead = _NO_SPACE_LINE.match(line)
        found = yaml_pitfalls.NO_SPACE.match(line, lead.end()) if lead else None
        if lead and found:
            return yaml_pitfalls.missing_space(c.lines, first + lead.end(), first + found.end())
    return None


def _colon_inside(c: _Complaint) -> Finding | None:
    if "mapping values" not in c.what or c.value is None or c.at <= c.value:
        return None
    message = "a colon and a space inside a value without quotes begin another entry"
    return Finding("H009", message, c.at, c.at + 1, put_in_quotes(c.lines, c.value, flow=c.flow))


def _bracket(c: _Complaint) -> Finding | None:
    here = c.lines.text[c.at : c.at + 1]
    if "flow" in c.context:
        opening = c.lines.text[c.since : c.since + 1]
        if c.lines.number(c.since) != c.number or here in ("]", "}", ""):
            remedy = f"close it with `{_CLOSING.get(opening, '}')}`"
            return Finding("H013", f"this `{opening}` is never closed", c.since, c.since + 1, remedy)
        return Finding("H001", f"a comma or the end of this `{opening}` is missing here", c.at, c.at + 1)
    if here and here in "]}":
        return Finding("H013", f"this `{here}` closes nothing", c.at, c.at + 1)
    return None


def _indentation(c: _Complaint) -> Finding | None:
    line = c.lines.line(c.number)
    if "block sequence entries" in c.what:
        return Finding("H015", "a list begins on a line of its own, or is written `[a, b]`", c.at, c.at + 1)
    entry_start = c.first + len(line) - len(line.lstrip(" "))
    expected = "expected key" in c.what or "block end" in c.what or "expected '-'" in c.what
    if "expected '-'" in c.what and c.lines.column(c.since) == c.at - c.first:
        remedy = "begin the line with `- `, or indent it as the item that it belongs to"
        return Finding("H015", "a list goes on here, and this line is no item of it", c.at, c.end, remedy)
    if expected and c.at == entry_start and line.strip():
        beside = c.lines.column(c.since)
        message = f"this line is indented by {c.at - c.first}, its neighbours by {beside}"
        return Finding("H015", message, c.at, c.end, f"indent it by {beside} or as the lines it belongs to")
    if "mapping values" in c.what:
        remedy = "indent it as the line above, or leave that line's value out if this is part of it"
        return Finding("H015", "this entry is deeper than the one above, which has a value", entry_start, c.at, remedy)
    return None


def _second_document(c: _Complaint) -> Finding | None:
    if "<document start>" not in c.what:
        return None
    return Finding("H027", "the document has ended above", c.at, c.end, "one file holds one thing: split it")


def _no_entry(c: _Complaint) -> Finding | None:
    if "could not find expected ':'" not in c.what:
        return None
    start = c.since
    end = value_end(c.lines, start, flow=False)
    remedy = "an entry is `key: value`; a text of several lines stands below `|` or in quotes"
    return Finding("H019", "this line has no colon", start, end, remedy)


_DETECTORS: tuple[Callable[[_Complaint], Finding | None], ...] = (
    _tab,
    _escape,
    _unclosed_quote,
    _flow_value,
    _first_character,
    _block_value,
    _missing_space,
    _colon_inside,
    _bracket,
    _indentation,
    _no_entry,
    _second_document,
)
