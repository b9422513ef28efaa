"""Syntax errors of YAML, explained for the author: the parser reports them late, and in terms of its own states.

Each detector looks at the parser's message and the line it points at; the first that recognises a mistake explains it.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import yaml

from flows import yaml_pitfalls
from flows.finding import Finding
from flows.lookalikes import Lookalikes
from flows.position import LineIndex
from flows.repair import MAX_LOOKAHEAD, closing, put_in_quotes, rewritten, value_end
from flows.scalar import quoted

_ENTRY = re.compile(r"(?P<lead> *(?:- +)*)(?:(?P<key>[\w.$/-]+|\"[^\"]*\"|'[^']*') *:\s+)?(?P<value>\S.*)?")
_NO_SPACE_LINE = re.compile(r" *(?:- +)*(?=[A-Za-z_])")
_FLOW_KEY = re.compile(r"(?:[\w.$/-]+|\"[^\"]*\"|'[^']*') *:\s+")
_CONDITION = re.compile(r" *(?:if|when|switch|condition): (?!.*: )")
_INDENTED_BY_TAB = re.compile(r" *\t")
_SHOWN_LINES = 8  # line numbers that a help text names
_WORD_AND_VALUE = re.compile(r"(?P<lead>(?:- +)*)(?P<key>[A-Za-z_][\w.-]*) *(?:=>?|:=)? *(?P<value>.*)")
_TWO_HALVES = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")  # of a character, in JSON
_HALF = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_ITEM = re.compile(r"-[^\s-]\S*")
_MAX_WORDS = 3  # a line of more words is prose, not an entry without its colon
_CLOSING = {"[": "]", "{": "}"}
_LOOK_BACK = 50  # lines in which the opening quote of a runaway text is searched


@dataclass(frozen=True, slots=True)
class _ParserError:
    """The parser's message, and the line it points at. All positions are indexes of the text.

    `value` is the start of that line's value, None when it has none near `at`; detectors read nothing behind `end`.
    """

    lines: LineIndex
    message: str
    context: str
    at: int
    since: int  # the start of the construct that the parser was reading
    flow: bool  # whether that is in flow style: inside braces or brackets
    number: int  # of the line, from 1
    first: int  # the start of the line
    end: int
    value: int | None


def explain(lines: LineIndex, error: yaml.MarkedYAMLError, in_flow: bool) -> Finding:
    """The mistake behind a parser error, with its remedy where one is known."""
    parser_error = _parser_error(lines, error, in_flow)
    for detect in _DETECTORS:
        finding = detect(parser_error)
        if finding is not None:
            return finding
    return Finding("H001", f"this is not YAML: {parser_error.message}", parser_error.at, parser_error.at + 1)


def _parser_error(lines: LineIndex, error: yaml.MarkedYAMLError, in_flow: bool) -> _ParserError:
    mark = error.problem_mark or error.context_mark
    at = min(mark.index, len(lines.text)) if mark else 0
    since = min(error.context_mark.index, at) if error.context_mark else at
    message, context = error.problem or "", error.context or ""
    alias = "alias" in context or "anchor" in context
    number = lines.line_number(since if alias else at)
    first = lines.line_start(number)
    entry = _ENTRY.match(lines.line_text(number))
    value = first + entry.start("value") if entry and entry["value"] else None
    if value is not None and at - value > MAX_LOOKAHEAD:
        value = None
    end = min(first + len(lines.line_text(number)), (first if value is None else value) + MAX_LOOKAHEAD)
    opened = lines.text[value or first : at]
    flow = in_flow or "flow" in context or opened.count("{") + opened.count("[") > opened.count("}") + opened.count("]")
    return _ParserError(lines, message, context, at, since, flow, number, first, max(end, at), value)


def _tab(error: _ParserError) -> Finding | None:
    line = error.lines.line_text(error.number)
    indentation = line[: len(line) - len(line.lstrip())]
    if "\t" in indentation:
        at = error.first + indentation.index("\t")
    elif error.lines.text.startswith("\t", error.at):
        at = error.at
    else:
        return None
    remedy = "put spaces in place of the tab"
    later = [
        n for n in range(error.number + 1, error.lines.count + 1) if _INDENTED_BY_TAB.match(error.lines.line_text(n))
    ]
    if later:
        shown = ", ".join(map(str, later[:_SHOWN_LINES])) + (", …" if len(later) > _SHOWN_LINES else "")
        remedy += f"; the same on line{'s' * (len(later) > 1)} {shown}"
    return Finding("H005", "YAML is not indented by tabs", at, at + 1, remedy)


def _lookalike(error: _ParserError) -> Finding | None:
    """A typographic quote, a no-break space or another character that is not the one that it looks like."""
    lookalikes = Lookalikes(error.lines)
    numbers = {error.number, error.lines.line_number(error.since)}
    return next(filter(None, map(lookalikes.line, sorted(numbers))), None)


def _escape(error: _ParserError) -> Finding | None:
    if (
        "escape" not in error.message
        and "hexdecimal" not in error.message
        and "Unicode character code" not in error.message
    ):
        return None
    text = error.lines.text
    if re.match(r"\\[xuU]", text[error.at - 2 : error.at]):  # the parser stops at the digits
        return _escape_by_code(text, error.at - 2)
    escape = text[error.at : error.at + 2]
    remedy = "write `\\\\` for a backslash, or put the text in single quotes, which have no escapes"
    return Finding("H017", f"`{escape}` is not an escape sequence of YAML", error.at, error.at + 2, remedy)


def _escape_by_code(text: str, start: int) -> Finding:
    """The problem of an escape with a wrong code, such as the halves by which JSON writes a character."""
    pair = _TWO_HALVES.match(text, start)
    if pair is not None:
        character = json.loads(f'"{pair[0]}"')
        message = f"`{pair[0]}` is how JSON writes one character; YAML takes no halves of characters"
        return Finding("H017", message, start, pair.end(), f"write the character itself: `{character}`")
    half = _HALF.match(text, start)
    if half is not None:
        return Finding("H017", f"`{half[0]}` is half of a character", start, half.end(), "leave it out")
    length = {"x": 2, "u": 4, "U": 8}[text[start + 1]]
    message = f"the escape `{text[start : start + 2]}` has {length} hexadecimal digits"
    return Finding("H017", message, start, start + 2, "write all of them, or the character itself")


def _unclosed_quote(error: _ParserError) -> Finding | None:
    if "quoted scalar" in error.context and ("end of stream" in error.message or "document indicator" in error.message):
        return _never_closed(error.lines, error.since)
    quote = error.lines.text[: error.at].rstrip(" ")[-1:]
    if quote not in ("'", '"') or not quote:
        return None
    for number in range(error.number - 1, max(0, error.number - _LOOK_BACK), -1):
        first, line = error.lines.line_start(number), error.lines.line_text(number)
        entry = _ENTRY.match(line)
        if entry is None or not (entry["value"] or "").startswith(quote):
            continue
        start = first + entry.start("value")
        if closing(error.lines.text, start, first + len(line)) is None:
            return _never_closed(error.lines, start)
    return None


def _never_closed(lines: LineIndex, start: int) -> Finding:
    quote = lines.text[start]
    end = value_end(lines, start, flow=False)
    fixed = rewritten(lines, end, end, quote)
    return Finding("H012", f"this {quote} is never closed", start, end, f"close it: `{fixed}`" if fixed else "close it")


def _first_character(error: _ParserError) -> Finding | None:
    """A value whose first character has a meaning in YAML."""
    if "alias" in error.context:
        return yaml_pitfalls.alias(error.lines, error.since, error.flow)
    if "cannot start any token" in error.message:
        return yaml_pitfalls.reserved(error.lines, error.at, error.flow)
    if error.value is not None and error.lines.text[error.value] in "|>" and "block scalar" in error.context:
        mark = error.lines.text[error.value]
        message = f"`{mark}` begins a text on the lines below, so nothing may follow it here"
        return Finding("H018", message, error.value, error.end, put_in_quotes(error.lines, error.value, flow=False))
    if "directive" in error.context:
        return yaml_pitfalls.reserved(error.lines, error.since, False)
    if "tag" in error.context:
        return yaml_pitfalls.tag(error.lines, error.since, error.at, error.flow)
    if error.value is not None and error.lines.text.startswith("*", error.value) and error.at > error.value:
        return yaml_pitfalls.alias(error.lines, error.value, error.flow)
    return None


def _block_value(error: _ParserError) -> Finding | None:
    """`if: 'vip' in x`, `a: {{ x }}/y`, `a: [x] y`: YAML ends the value before its author does."""
    start = error.value
    if start is None or error.at <= start or error.lines.text[start] not in "'\"[{":
        return None
    if error.lines.text.startswith("{{", start):
        return yaml_pitfalls.template(error.lines, start, False)
    close = closing(error.lines.text, start, error.end)
    if close is None or _rest(error, close + 1)[:1] in ("", "]", "}"):
        return None
    return _text_after(error, start, close, flow=False)


def _rest(error: _ParserError, start: int) -> str:
    """The rest of the line without a comment."""
    rest = error.lines.text[start : error.end]
    return "" if rest.lstrip().startswith("#") and rest[:1] == " " else rest.strip()


def _text_after(error: _ParserError, start: int, close: int, *, flow: bool) -> Finding:
    text, end = error.lines.text, value_end(error.lines, start, flow=flow)
    whole = text[start:end]
    message = f"the value ends at its closing `{text[close]}`, but text follows"
    remedy = put_in_quotes(error.lines, start, flow=flow)
    if not flow and "'" in whole and '"' in whole and _CONDITION.match(error.lines.line_text(error.number)):
        remedy = f"put the condition in parentheses: `{rewritten(error.lines, start, end, f'({whole})')}`"
    if whole[0] in "'\"" and whole[-1] == whole[0] and text[close + 1] not in " \t,:":
        message = f"the `{whole[0]}` inside the text closes it"
        fixed = rewritten(error.lines, start, end, quoted(whole[1:-1].replace("''", "'")))
        remedy = f"use the other quotes: `{fixed}`" if fixed else "use the other quotes"
    return Finding("H004", message, close + 1, end, remedy)


def _flow_value(error: _ParserError) -> Finding | None:
    """The first item inside braces or brackets that needs quotes."""
    if not error.flow or error.value is None:
        return None
    at = error.value
    while at < error.end:
        if error.lines.text[at] in " \t,[{]}" and not error.lines.text.startswith("{{", at):
            at += 1
            continue
        if key := _FLOW_KEY.match(error.lines.text, at, error.end):
            at = key.end()
            continue
        end = value_end(error.lines, at, flow=True)
        finding = _flow_item(error, at, end)
        if finding is not None or end <= at:
            return finding
        at = end
    return None


def _flow_item(error: _ParserError, start: int, end: int) -> Finding | None:
    text = error.lines.text
    item = text[start:end]
    remedy = put_in_quotes(error.lines, start, flow=True)
    if item[:1] in ("'", '"'):
        close = closing(text, start, end)
        return _text_after(error, start, close, flow=True) if close is not None and close + 1 < end else None
    if "{{" in item:
        return yaml_pitfalls.template(error.lines, start, True)
    if "${" in item:
        return Finding("H016", "inside braces and brackets `${…}` needs quotes", start, end, remedy)
    if item.startswith("$") and ("[" in item or "{" in item):
        return Finding("H010", "inside braces and brackets a JSONPath with `[` needs quotes", start, end, remedy)
    if "[" in item or "{" in item:
        return Finding("H010", "inside braces and brackets a value with a bracket needs quotes", start, end, remedy)
    return None


def _missing_space(error: _ParserError) -> Finding | None:
    if "mapping values" not in error.message and "could not find expected ':'" not in error.message:
        return None
    for number in (error.number - 1, error.number):
        if number < 1:
            continue
        line, first = error.lines.line_text(number), error.lines.line_start(number)
        lead = _NO_SPACE_LINE.match(line)
        key = yaml_pitfalls.NO_SPACE.match(line, lead.end()) if lead else None
        if lead and key:
            return yaml_pitfalls.missing_space(error.lines, first + lead.end(), first + key.end())
    return None


def _colon_inside(error: _ParserError) -> Finding | None:
    if "mapping values" not in error.message or error.value is None or error.at <= error.value:
        return None
    message = "a colon and a space inside a value without quotes begin another entry"
    return Finding("H009", message, error.at, error.at + 1, put_in_quotes(error.lines, error.value, flow=error.flow))


def _bracket(error: _ParserError) -> Finding | None:
    here = error.lines.text[error.at : error.at + 1]
    if "flow" in error.context:
        opening = error.lines.text[error.since : error.since + 1]
        if error.lines.line_number(error.since) != error.number or here in ("]", "}", ""):
            remedy = f"close it with `{_CLOSING.get(opening, '}')}`"
            return Finding("H013", f"this `{opening}` is never closed", error.since, error.since + 1, remedy)
        return Finding("H001", f"a comma or the end of this `{opening}` is missing here", error.at, error.at + 1)
    if here and here in "]}":
        return Finding("H013", f"this `{here}` closes nothing", error.at, error.at + 1)
    return None


def _indentation(error: _ParserError) -> Finding | None:
    line = error.lines.line_text(error.number)
    if "block sequence entries" in error.message:
        item = error.lines.text[error.at : error.end].removeprefix("-").strip()
        remedy = f"write `[{item}]`, or each item on a line below"
        message = "a list begins on a line of its own, or is written `[a, b]`"
        return Finding("H015", message, error.at, error.at + 1, remedy)
    entry_start = error.first + len(line) - len(line.lstrip(" "))
    expected = "expected key" in error.message or "block end" in error.message or "expected '-'" in error.message
    if "expected '-'" in error.message and error.lines.column(error.since) == error.at - error.first:
        remedy = "begin the line with `- `, or indent it as the item that it belongs to"
        return Finding(
            "H015", "this line is among the items of a list and is not one of them", error.at, error.end, remedy
        )
    if expected and error.at == entry_start and line.strip():
        return _unaligned(error, error.at - error.first)
    if "mapping values" in error.message:
        return _deeper(error, entry_start)
    return None


def _unaligned(error: _ParserError, indentation: int) -> Finding:
    """A line between two levels, or an item of a list among entries."""
    if error.lines.text.startswith("- ", error.at) and error.lines.column(error.since) == indentation:
        message, remedy = "an item of a list is among entries", "delete the dash, or write `key:` above the list"
        return Finding("H015", message, error.at, error.end, remedy)
    levels = _levels(error.lines, error.number)
    below = next(_texts_below(error.lines, error.number), None)
    deepest = below[1] if below is not None and below[1] > indentation else None
    fitting = [level for level in levels if deepest is None or level < deepest] or list(levels)
    level = min(fitting, key=lambda level: (abs(level - indentation), -level))
    message = f"this line is indented by {indentation}, and no line above it is"
    return Finding("H015", message, error.at, error.end, f"indent it by {level}, as line {levels[level]}")


def _levels(lines: LineIndex, number: int) -> dict[int, int]:
    """The indentations that a line may have, each with the number of the last line above that has it."""
    levels: dict[int, int] = {}
    for above in range(number - 1, 0, -1):
        line = lines.line_text(above)
        level = len(line) - len(line.lstrip(" "))
        if line.strip() and not line.lstrip().startswith("#") and all(level < deeper for deeper in levels):
            levels[level] = above
        if level == 0 and line.strip():
            break
    return levels or {0: 1}


def _texts_below(lines: LineIndex, number: int) -> Iterator[tuple[int, int]]:
    """The numbers and indentations of the lines below that are neither empty nor a comment."""
    for below in range(number + 1, lines.count + 1):
        line = lines.line_text(below)
        if line.strip() and not line.lstrip().startswith("#"):
            yield below, len(line) - len(line.lstrip(" "))


def _deeper(error: _ParserError, entry_start: int) -> Finding:
    """An entry below one that has a value; or below a line of its own level that is none."""
    indentation = entry_start - error.first
    levels = _levels(error.lines, error.number)
    above = max(levels)
    if above == indentation:
        first = error.lines.line_start(levels[above]) + above
        return _without_colon(error.lines, first)
    message = "this entry is deeper than the one above, which has a value"
    remedy = f"indent it by {above}, as line {levels[above]}; or leave that line's value out if this is part of it"
    return Finding("H015", message, entry_start, error.at, remedy)


def _second_document(error: _ParserError) -> Finding | None:
    if "<document start>" not in error.message:
        return None
    return Finding(
        "H027", "the document ends above this line", error.at, error.end, "a file holds one document: split it"
    )


def _no_entry(error: _ParserError) -> Finding | None:
    return _without_colon(error.lines, error.since) if "could not find expected ':'" in error.message else None


def _without_colon(lines: LineIndex, start: int) -> Finding:
    """A line that is no entry, with the entry that was probably meant."""
    end = value_end(lines, start, flow=False)
    written = lines.text[start:end]
    remedy = "an entry is `key: value`; write a text of several lines below `|`, a comment behind `#`"
    if _ITEM.fullmatch(written):
        remedy = f"write `- {written[1:]}`: in a list a space follows the dash"
    entry = _WORD_AND_VALUE.fullmatch(written)
    if entry is not None and len(written.split()) <= _MAX_WORDS:
        remedy = f"write `{entry['lead']}{entry['key']}: {entry['value']}".rstrip() + "`"
        remedy += "" if entry["value"] else "; write a text of several lines below `|`"
    return Finding("H019", "this line has no colon", start, end, remedy)


_DETECTORS: tuple[Callable[[_ParserError], Finding | None], ...] = (
    _tab,
    _lookalike,
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
