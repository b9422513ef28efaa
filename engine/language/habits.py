"""Habits from other languages, recognised in the text of an expression that was refused: the cause and the remedy.

Each habit has a pattern, which is only tried at the place of an error, so a pattern may be wider than its language.
"""

import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct, structs

from engine.language.path import ROOTS
from engine.language.refusal import SYNTAX
from engine.problem import Problem

LENGTH_CAP: Final = 1_000  # characters; in a longer expression no habit is looked for
_TEXT: Final = r"(?:'[^']*'|\"[^\"]*\")"
_PATH: Final = r"[A-Za-z_]\w*(?:(?:\?\.|\.)\w+|\[[^\]\s]*\])*"
_VALUE: Final = rf"(?:{_TEXT}|-?\d+(?:\.\d+)?|{_PATH}(?:\([^()]*\))?)"
_LIST: Final = r"\[[^\]]*\]"
_NOT_PLURAL: Final = "let the client send what is needed, or take all values by a JSONPath, a value of its own"
_OVER_ITEMS: Final = (
    "filter|find|some|every|reduce|forEach|flatMap|select|reject|selectattr|rejectattr|groupby|map|sort_by|where"
)
_KINDS: Final = "string|number|integer|float|boolean|mapping|sequence|iterable|list"
_TESTED: Final = rf"(?i:null|none|nil|undefined)|true|false|empty|blank|even|odd|{_KINDS}|{_TEXT}|\d+(?:\.\d+)?"
_ANY: Final = rf"(?:{_LIST}|{_VALUE})"
_OUTSIDE_BRACKETS: Final = rf"(?:{_TEXT}|[^'\"()\[\]{{}}]|\((?:[^()]|\([^()]*\))*\)|\[[^\[\]]*\])"
_SIGN: Final = r"(?:==|!=|<=?|>=?|(?:not\s+)?in\b)"


class Habit(Struct, frozen=True):
    """A habit: where it is shown (the group `at`, else all of it), the message, and the remedy (with groups in {})."""

    pattern: re.Pattern[str]
    message: str
    help: str | Callable[[re.Match[str]], str]


def recognised(problem: Problem, text: str, start: int, end: int) -> Problem:
    """Return the problem of a refused expression, text[start:end], with the cause and remedy of the habit behind it."""
    if problem.offset is None or end - start > LENGTH_CAP:
        return problem
    for habit in _HABITS:
        for match in habit.pattern.finditer(text[start:end]):
            at, until = match.span("at" if "at" in habit.pattern.groupindex else 0)
            first = match.start() if problem.code == SYNTAX else at  # a parser may stop long before the cause
            if first <= problem.offset - start <= match.end():
                help = habit.help.format(**_groups(match)) if isinstance(habit.help, str) else habit.help(match)
                message = habit.message.format(**_groups(match)) or problem.message
                length = max(1, until - at)
                return structs.replace(problem, message=message, offset=start + at, length=length, help=help)
    return problem


def _groups(match: re.Match[str]) -> dict[str, str]:
    """Return the groups by name, without `?` of optional chaining and white space at the ends."""
    return {name: (value or "").replace("?.", ".").strip() for name, value in match.groupdict().items()}


def _joined(match: re.Match[str]) -> str:
    """Return the remedy for a text with expressions in braces: the parts, joined by `~`."""
    parts = re.split(r"\$?\{([^{}]*)\}", match["body"])
    shown = [f"'{part}'" if i % 2 == 0 else part.strip() for i, part in enumerate(parts) if part]
    return f"write `{' ~ '.join(shown)}`" if shown else "write `''`"


def _liquid(match: re.Match[str]) -> str:
    groups = _groups(match)
    name, arguments, path = groups["name"], groups["arguments"], groups["path"]
    if name == "date" and "%" in arguments:
        return f"write `{path} | date | format_date({arguments})`".replace("` |", "`|")
    operator = _LIQUID_OPERATORS.get(name)
    written = f"{operator} {arguments}" if operator else f"| {name}({arguments})"
    return f"write `{path} {written}`" if path else f"write `{written}`"


def _like(match: re.Match[str]) -> str:
    body = match["pattern"][1:-1]
    pattern = re.escape(body).replace("%", ".*").replace("_", ".")
    pattern = f"^{pattern}$".replace(".*$", "").replace("^.*", "")
    test = f"{match['path']} | matches('{pattern}')"
    return f"write `not ({test})`" if match["negated"] else f"write `{test}`"


def _matches(match: re.Match[str]) -> str:
    pattern = match["pattern"].strip()
    pattern = f"'{pattern.rstrip('gimsu')[1:-1]}'" if pattern.startswith("/") else pattern
    test = f"{match['path']} | matches({pattern})"
    return f"write `not ({test})`" if match["at"] == "!~" else f"write `{test}`"


def _is(match: re.Match[str]) -> str:
    groups, word = _groups(match), match["at"].lower()
    path, negated = groups["path"], bool(groups["negated"])
    if word in {"null", "none", "nil", "undefined"}:
        return f"write `{path} is {'not ' if negated else ''}none`"
    if word in {"empty", "blank"}:
        return f"an empty value counts as false: write `{path}`" if negated else f"write `not {path}`"
    if word in {"even", "odd"}:
        return f"write `{path} % 2 == {1 if (word == 'odd') is not negated else 0}`"
    if word in _KINDS.split("|"):
        return "there are no tests of kinds: a value of another kind fits no comparison"
    return f"write `{path} {'!=' if negated else '=='} {word if word in ('true', 'false') else match['at']}`"


def _repeated(match: re.Match[str]) -> str:
    groups = _groups(match)
    return f"name the value again: `{groups['path']} {groups['at']} {groups['other']}`"


def _contains(match: re.Match[str]) -> str:
    groups = _groups(match)
    return f"write `{groups['b']} {'not in' if groups['negated'] else 'in'} {groups['path']}`"


def _none(match: re.Match[str]) -> str:
    groups = _groups(match)
    return f"write `{groups['path']} is {'not ' if groups['sign'][0] in '!<' else ''}none`: absent or null"


def _chain(match: re.Match[str]) -> str:
    return f"write `{re.sub('->|::', '.', match['path'])}`"


def _reference(match: re.Match[str]) -> str:
    path = _groups(match)["path"].removeprefix("$.").removeprefix("$")
    return f"write `{path}`" if re.match(r"\w*", path)[0] in ROOTS else "write a path such as `event.properties.total`"  # type: ignore[index]  # it matches always


def _number(match: re.Match[str]) -> str:
    digits = re.sub(r"[ \u00a0\u202f'_]", "", match[0])
    if "," in digits and re.search(r",\d{1,2}$", digits):
        digits = digits.replace(".", "").replace(",", ".")
    return f"write `{digits.replace(',', '')}`"


def _comprehension(match: re.Match[str]) -> str:
    groups = _groups(match)
    item, variable = groups["item"], groups["variable"]
    if item.startswith(f"{variable}.") and not groups["test"]:
        return _all_of(groups["path"], item.removeprefix(f"{variable}."))
    return f"write `{groups['path']}`" if item == variable and not groups["test"] else _NOT_PLURAL


def _all_of(path: str, field: str) -> str:
    return f'a JSONPath takes all of them, as a value of its own: "$.{path}[*].{field}"'


def _mapped(match: re.Match[str]) -> str:
    groups = _groups(match)
    field = groups["field"].strip("'\"")
    rest = groups.get("rest", "").strip()
    rest = re.sub(r"^\|\s*list\b\s*", "", rest)  # it is a list already
    then = f"; a later node reads it: `nodes.ID.out.NAME {rest}`" if rest.startswith("|") else ""
    return _all_of(groups["path"], field) + then


def _units(match: re.Match[str]) -> str:
    number, unit = match["number"], match["at"].strip().lower()
    if unit.startswith("week"):
        return f"write `days({number} * 7)`"
    if unit.startswith("sec"):
        return f"write `{number} * 1000`: milliseconds"
    return f"write `{unit.rstrip('s')}s({number})`"


_LIQUID_OPERATORS: Final = {
    "plus": "+",
    "minus": "-",
    "times": "*",
    "divided_by": "/",
    "modulo": "%",
    "append": "~",
}

# Pattern -> message ("" keeps that of the error), remedy. The first that matches at the place of the error counts.
_TABLE: Final[tuple[tuple[str, str, str | Callable[[re.Match[str]], str]], ...]] = (
    (
        rf"(?:\$\.)?(?P<path>{_PATH})(?P<at>\[\?)",
        "an expression has no filter on a list",
        'take the whole list ("$.{path}[*]", a value of its own), or let the client send what is needed',
    ),
    # Absent values, choices
    (rf"(?P<a>{_VALUE})\s*(?P<at>\?\?=?|\?:)\s*(?P<b>{_VALUE})", "unexpected `{at}`", "write `{a} | default({b})`"),
    (rf"(?P<path>{_PATH})(?P<at>\?)\.?\[", "unexpected `?`", "leave the `?` out: a missing value is no error"),
    (r"(?P<path>[A-Za-z_]\w*(?:\.\w+|\[[^\]\s]*\])*(?P<at>\?\.)[\w.?]*)", "unexpected `?.`", "write `{path}`"),
    (
        r"^(?P<c>[^?]+?)\s*(?P<at>\?)\s*(?P<a>[^:?]+?)\s*:\s*(?P<b>[^?]+)$",
        "unexpected `?`",
        "write `{a} if {c} else {b}`",
    ),
    (r"\b(?P<at>elif|elsif|elseif|else\s+if)\b", "unexpected `{at}`", "write `a if x else b if y else c`"),
    (
        r"\b(?P<at>if|iif|iff|ternary)\s*\((?P<c>[^,()]+),(?P<a>[^,()]+),(?P<b>[^,()]+)\)",
        "there is no function `{at}`",
        "write `{a} if {c} else {b}`",
    ),
    (
        r"^\s*(?P<at>if)\s+(?P<c>.+?)\s+then\s+(?P<a>.+?)\s+else\s+(?P<b>.+)$",
        "unexpected `if`",
        "write `{a} if {c} else {b}`",
    ),
    (r"^\s*(?P<at>when|where|return|IF|WHEN)\b(?P<rest>.+)$", "unexpected `{at}`", "leave it out: `{rest}`"),
    (r"^\s*(?P<at>if)\b(?P<rest>(?:(?!\bthen\b|\belse\b|:).)+)$", "unexpected `if`", "leave it out: `{rest}`"),
    (
        r"(?<![\w.])(?P<at>(?!nodes\b)[a-z]\w*)\.out(?P<rest>(?:\.\w+)*)",
        "nothing is called `{at}`",
        "write `nodes.{at}.out{rest}`",
    ),
    # Filters
    (
        rf"(?P<root>event|profile|session)(?P<at>@)(?P<path>\w+(?:\.\w+|\[{_TEXT}\])*)",
        "unexpected `@`",
        "write `{root}.{path}`",
    ),
    (
        r"\b(?:datetime\.)?(?P<at>timedelta)\(\s*(?P<unit>days|hours|minutes)\s*=\s*(?P<number>[^(),]+)\)",
        "there is no function `timedelta`",
        "write `{unit}({number})`",
    ),
    (
        rf"(?P<path>{_PATH})\s*\|\s*(?P<at>map)\s*\(\s*(?:attribute\s*=\s*)?(?P<field>{_TEXT})\s*\)(?P<rest>.*)",
        "there is no filter `map`",
        _mapped,
    ),
    (rf"(?P<path>{_PATH})\.(?P<at>map)\(.*(?:=>|:)\s*\w+\.(?P<field>\w+)", "values have no method `map`", _mapped),
    (
        rf"(?:\.|\|\s*)(?P<at>{_OVER_ITEMS})\b\s*\(.*",
        "there is no `{at}` here",
        f"there are no functions over the items of a list: {_NOT_PLURAL}",
    ),
    (
        rf"(?:(?P<path>{_PATH})\s*)?\|\s*(?P<name>\w+)\s*(?P<at>:)\s*(?P<arguments>{_VALUE}(?:\s*,\s*{_VALUE})*)",
        "unexpected `:`",
        _liquid,
    ),
    (r"(?P<a>\d+)\s*(?P<at>\.\.)\s*(?P<b>\d+)", "unexpected `..`", "write two arguments: `{a}, {b}`"),
    (rf"\|\s*(?P<name>\w+)\s+(?P<at>{_TEXT}|\d+)", "unexpected `{at}`", "write `| {name}({at})`"),
    (
        rf"(?P<path>{_PATH})\s*==\s*(?P<a>{_TEXT})\s*(?P<at>\|)\s*(?P<b>{_TEXT})",
        "`|` calls a filter",
        "write `{path} in [{a}, {b}]`",
    ),
    (
        rf"(?P<path>{_PATH})\s*==\s*(?P<a>{_TEXT})\s*(?P<at>,)\s*(?P<b>{_TEXT})",
        "unexpected `,`",
        "write `{path} in [{a}, {b}]`",
    ),
    (
        rf"(?P<at>\{{)\s*(?P<items>{_TEXT}(?:\s*,\s*{_TEXT})*)\s*\}}",
        "a list is written in square brackets",
        "write `[{items}]`",
    ),
    (
        rf"(?P<a>{_PATH})\s*(?P<at>\|)\s*(?P<b>(?:event|profile|session|source|nodes)\.[\w.]+)",
        "`|` calls a filter",
        "to take the first that is there, write `{a} | default({b})`; for conditions write `{a} or {b}`",
    ),
    (rf"(?<!\|)\|\s*(?P<at>{_TEXT})", "a filter has a name", "to join texts, write `~ {at}`"),
    (
        r"\[?(?P<item>[^\[\]|]+?)\s+(?P<at>for)\s+(?P<variable>\w+)\s+in\s+(?P<path>[\w.]+)(?P<test>\s+if\s[^\]]*)?",
        "there are no loops in an expression",
        _comprehension,
    ),
    (r"\b(?P<at>for)\s+\w+\s+in\b", "there are no loops in an expression", _NOT_PLURAL),
    (r"\b(?P<at>lambda)\b.*", "there are no functions of your own", _NOT_PLURAL),
    # Texts
    (r"(?P<at>[fFrRbBuU])(?P<q>['\"])(?P<body>[^'\"]*)(?P=q)", "a text has no prefix `{at}`", _joined),
    (r"`(?P<body>[^`]*)`", "text is in single or double quotes", _joined),
    (r"(?P<q>['\"])(?P<body>[^'\"‘’“”]*)(?P<at>[‘’“”])", "the quote is closed by `{at}`", "write `{q}{body}{q}`"),
    (r"'(?P<a>\w+)'(?P<b>\w+)'", "the quote ends before `{b}`", 'write the text in the other quotes: `"{a}\'{b}"`'),
    (r'"(?P<a>\w+)"(?P<b>\w+)"', "the quote ends before `{b}`", "write the text in the other quotes: `'{a}\"{b}'`"),
    # Comparisons
    (rf"(?P<path>{_PATH})\s+(?i:is)\s+(?P<negated>(?i:not)\s+)?(?P<at>{_TESTED})(?!\w)", "", _is),
    (
        rf"(?P<path>{_PATH})\s*(?P<sign>[!=]==?|<>|=)\s*(?P<at>null|NULL|Null|None|none|nil|undefined)\b",
        "nothing equals `{at}`",
        _none,
    ),
    (rf"(?P<path>{_PATH})\s+(?P<at>exists)\b", "unexpected `exists`", "write `{path} is defined`"),
    (
        rf"(?P<path>{_VALUE})\s+(?P<negated>(?i:not)\s+)?(?P<at>(?i:like|ilike|rlike))\s+(?P<pattern>{_TEXT})",
        "unexpected `{at}`",
        _like,
    ),
    (
        rf"(?P<path>{_VALUE})\s*(?P<at>=~|~=|!~|\bregex\b|\bREGEXP\b)\s*(?P<pattern>{_TEXT}|/[^/]+/\w*)",
        "unexpected `{at}`",
        _matches,
    ),
    (
        rf"(?P<path>{_VALUE})\s+(?:(?P<negated>not)\s+)?(?P<at>(?i:contains|includes)|has|contain)\s+(?P<b>{_VALUE})",
        "unexpected `{at}`",
        _contains,
    ),
    (
        rf"(?P<path>{_VALUE})\s+(?P<at>(?i:starts?_?\s?with))\s+(?P<b>{_VALUE})",
        "unexpected `{at}`",
        "write `{path} | starts_with({b})`",
    ),
    (
        rf"(?P<path>{_VALUE})\s+(?P<at>(?i:ends?_?\s?with))\s+(?P<b>{_VALUE})",
        "unexpected `{at}`",
        "write `{path} | ends_with({b})`",
    ),
    (
        rf"(?P<path>{_VALUE})\s+(?P<at>(?i:matches|match))\s+(?P<pattern>{_TEXT}|/[^/]+/\w*)",
        "unexpected `{at}`",
        _matches,
    ),
    (
        rf"(?P<path>{_VALUE})\s+(?P<at>(?i:between))\s+(?P<a>{_VALUE})\s+(?i:and)\s+(?P<b>{_VALUE})",
        "unexpected `{at}`",
        "write `{a} <= {path} <= {b}`",
    ),
    (
        rf"(?P<path>{_VALUE})\s*{_SIGN}\s*{_ANY}\s*\b(?P<word>and|or)\s+(?P<at>{_SIGN})\s*(?P<other>{_ANY})",
        "each side of `{word}` needs a value to compare",
        _repeated,
    ),
    (
        rf"(?<![\w.(,])(?<!, )(?P<a>{_VALUE})\s*(?P<at>=)(?![=><~])\s*(?P<b>{_VALUE})(?<!\()",
        "`=` compares nothing",
        "to compare, write `==`: `{a} == {b}`",
    ),
    (rf"(?P<path>{_PATH})\s+(?P<at>not)\s+(?P<b>{_TEXT}|\d+)", "unexpected `not`", "write `{path} != {b}`"),
    (
        rf"(?P<path>{_PATH})\s+(?P<at>(?:is\s+)?one\s+of|within|is\s+in)\s+(?P<b>{_LIST})",
        "unexpected `{at}`",
        "write `{path} in {b}`",
    ),
    (
        rf"(?P<at>typeof)\s+(?P<path>{_PATH})",
        "there is no `typeof`",
        "a value of another kind fits no comparison; to ask whether it is there, write `{path} is defined`",
    ),
    (
        rf"(?P<a>{_PATH})\s*(?P<at>\+\+|--|\+=|-=|\*=|/=)",
        "unexpected `{at}`",
        "an expression changes nothing: to add to a field, use `profile.increment`",
    ),
    (
        r"(?P<number>\d+(?:\.\d+)?)\s*(?P<at>%)\s*$",
        "a number has no percent sign",
        "write it as a share: `{number} / 100`",
    ),
    (
        r"^(?P<body>[^{}]*[^{}\s])\s*(?P<at>\})(?!\})",
        "unexpected `}}`",
        "close the template by two braces: `{{{{ {body} }}}}`",
    ),
    (r"\b(?P<sign>else)(?P<at>)\s*$", "nothing follows `else`", "write a value behind it, such as `else ''`"),
    (
        r"(?P<sign>\b(?:and|or|not|in|is)|[=!<>]=|[-+*/%~|<>.])(?P<at>)\s*$",
        "nothing follows `{sign}`",
        "write a value behind it, or leave it out",
    ),
    # Paths
    (r"(?P<at>[$#%@]\{)\s*(?P<path>[^{}]*?)\s*\}", "unexpected `{at}`", _reference),
    (rf"(?P<at>\$\.?)(?P<path>{_PATH})", "unexpected `{at}`", _reference),
    (r"(?P<path>[A-Za-z_]\w*(?:\.\w+)*(?P<at>->|::)\w+(?:(?:->|::|\.)\w+)*)", "unexpected `{at}`", _chain),
    (
        rf"(?P<path>{_PATH})(?P<at>\[\*?\])(?:\.(?P<field>[\w.]+))?",
        "unexpected `{at}`",
        'a JSONPath is a value of its own: "$.{path}[*].{field}"',
    ),
    # Times and numbers
    (
        r"\b(?P<at>now|Date\.now|datetime\.(?:utc)?now|time\.time|today|Date|current_timestamp|NOW)\(\)",
        "there is no function `{at}`",
        "write `now`: the time in milliseconds",
    ),
    (
        r"(?P<number>\d+)\s*\*?\s*(?P<at>(?i:days?|hours?|minutes?|weeks?|seconds?))\b(?!\()",
        "a number has no unit",
        _units,
    ),
    (
        r"(?<![\w.])(?:\d{1,3}(?:[,.' \u00a0\u202f_]\d{3})+(?:[.,]\d+)?|\d+,\d{1,2})(?!\w)",
        "a number has digits and one point at most",
        _number,
    ),
    (
        rf"^(?P<a>{_OUTSIDE_BRACKETS}*)(?P<at>,)\s*(?P<b>\S[^,]*(?:==|<|>|\bin\b)[^,]*)$",
        "unexpected `,`",
        "join conditions by `and`: `{a} and {b}`",
    ),
)
_HABITS: Final = tuple(Habit(re.compile(pattern), message, help) for pattern, message, help in _TABLE)
