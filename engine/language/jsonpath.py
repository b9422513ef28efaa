"""JSONPath, parsed by jsonpath-ng and compiled to look-ups: `$.event.properties.items[*].sku`.

A path without wildcards evaluates to the value; any other path to a list, which is empty when nothing matches. There
are no filters.
"""

import re
from collections.abc import Callable
from typing import Any

import jsonpath_ng.jsonpath as ng
from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.lexer import JsonPathLexer
from jsonpath_ng.parser import JsonPathParser

from engine.language.absent import ABSENT, Unfit
from engine.language.expression import Read
from engine.language.operators import LIST_CAP, LISTS
from engine.language.path import Scope
from engine.language.readers import needer, reader
from engine.language.refusal import BAD_JSONPATH, TOO_LARGE, UNKNOWN_ROOT, Span, refusal
from engine.problem import ProblemError, did_you_mean

SOURCE_CAP = 1024  # characters
TOKEN_CAP = 100

Selector = Callable[[list[Any]], list[Any]]  # selected values -> the values that are selected below them

_POSITION = re.compile(r"(?:col |at \d+:)(\d+)")
_FILTER = re.compile(r"\[\?.*?\)?\](?=[.\[]|$)")
_LITERAL = "a literal text that begins with `$.` is written `$$.`"
_REFUSED = {
    "WHERE": "there is no `where` here; write a key of that name in quotes: `['where']`",
    "WHERENOT": "there is no `wherenot` here; write a key of that name in quotes: `['wherenot']`",
    "NAMED_OPERATOR": "there are no operators such as `parent`",
    "|": "there is no union; write two values",
    "&": "there is no intersection",
    "(": "there are no round brackets",
    "~": "there is no `~`",
}


class JsonPath:
    """A compiled JSONPath. `evaluate` raises `Absent` when a path without wildcards has no value."""

    __slots__ = ("_read", "evaluate", "reads", "source")

    def __init__(self, source: str, static: tuple[str | int, ...], selectors: list[Selector]) -> None:
        self.source = source
        path = tuple(str(part) for part in static)
        self.reads: tuple[Read, ...] = (Read(path, 0, len(source), handled=bool(selectors)),)
        self._read = _select(static, selectors) if selectors else reader(static)
        self.evaluate: Callable[[Scope], Any] = self._read if selectors else needer(static, source)

    def note(self, scope: Scope, values: dict[str, Any]) -> Any:
        """Return the result of `evaluate`, and record it in `values`, even when `Absent` is raised."""
        result = self._read(scope)
        values[self.source] = "absent" if result is ABSENT else result
        return self.evaluate(scope) if result is ABSENT else result


def compile_jsonpath(text: str, roots: frozenset[str]) -> JsonPath:
    """Compile a JSONPath. Raises `ProblemError` with the position and the remedy."""
    if len(text) > SOURCE_CAP:
        raise refusal(TOO_LARGE, f"a JSONPath has at most {SOURCE_CAP} characters", (SOURCE_CAP, len(text)))
    parts = _flat(_parsed(text))
    root = parts[0] if parts else None
    if not isinstance(root, ng.Fields) or len(root.fields) != 1:
        raise refusal(BAD_JSONPATH, "a JSONPath begins with one root", (0, len(text)), did_you_mean("", roots))
    if root.fields[0] not in roots:
        name = root.fields[0]
        at = max(0, text.find(name))
        remedy = f"{did_you_mean(name, roots)}; {_LITERAL}"
        raise refusal(UNKNOWN_ROOT, f"nothing is called `{name}`", (at, at + len(name)), remedy)
    if sum(isinstance(part, ng.Descendants) for part in parts) > 1:
        raise refusal(BAD_JSONPATH, "a JSONPath has at most one `..`", (text.rfind(".."), text.rfind("..") + 2))
    static: list[str | int] = []
    while parts and (key := _single(parts[0])) is not None:
        static.append(key)
        parts.pop(0)
    return JsonPath(text, tuple(static), [_selector(part, text) for part in parts])


def _parsed(text: str) -> Any:
    """Return jsonpath-ng's tree. Raises `ProblemError` for tokens that are not allowed and for syntax errors."""
    try:
        for count, token in enumerate(JsonPathLexer().tokenize(text)):
            at = (token.lexpos, token.lexpos + 1)
            if token.type in _REFUSED:
                raise refusal(BAD_JSONPATH, _REFUSED[token.type], at, _LITERAL)
            if count > TOKEN_CAP:
                raise refusal(TOO_LARGE, f"a JSONPath has at most {TOKEN_CAP} names and signs", at)
        return JsonPathParser().parse(text)
    except JSONPathError as error:
        raise _syntax_error(text, str(error)) from None


def _syntax_error(text: str, reason: str) -> ProblemError:
    """Return the error for a message of jsonpath-ng."""
    match = _POSITION.search(reason)
    at: Span = (min(int(match[1]), len(text)), min(int(match[1]), len(text)) + 1) if match else (0, len(text))
    if "near the end" in reason:
        return refusal(BAD_JSONPATH, "the JSONPath ends where more is expected", (len(text), len(text) + 1), _LITERAL)
    if "EOF in string" in reason:
        return refusal(BAD_JSONPATH, "a quote is never closed", at, _LITERAL)
    sign = text[at[0] : at[1]]
    if sign == "?":
        remedy = f"take the whole list, `{_FILTER.sub('[*]', text)}`, or let the client send what is needed"
        return refusal(BAD_JSONPATH, "there are no filters in a JSONPath here", at, remedy)
    return refusal(
        BAD_JSONPATH, f"unexpected `{sign}` in a JSONPath" if sign else "this is not a JSONPath", at, _LITERAL
    )


def _flat(node: Any) -> list[Any]:
    """Return the parts of the path in order; `Descendants` means any number of levels."""
    if isinstance(node, ng.Child):
        return _flat(node.left) + _flat(node.right)
    if isinstance(node, ng.Descendants):
        return [*_flat(node.left), node, *_flat(node.right)]
    return [] if isinstance(node, ng.Root) else [node]


def _single(part: Any) -> str | int | None:
    """Return the one key or index that a part selects, or None for a part with a wildcard or several."""
    if isinstance(part, ng.Fields) and len(part.fields) == 1:
        return str(part.fields[0])
    if isinstance(part, ng.Index) and len(part.indices) == 1:
        return int(part.indices[0])
    return None


def _selector(part: Any, text: str) -> Selector:
    if isinstance(part, ng.Fields):
        names = part.fields
        return lambda values: [v[name] for v in values if isinstance(v, dict) for name in names if name in v]
    if isinstance(part, ng.Index):
        return _index(part.indices)
    if isinstance(part, ng.Slice):
        chosen = slice(part.start, part.end, part.step)
        if part.step == 0:
            raise refusal(BAD_JSONPATH, "a slice's step is not 0", (0, len(text)))
        return lambda values: [item for value in values if isinstance(value, LISTS) for item in value[chosen]]
    if isinstance(part, ng.Wildcard):
        return _children_of_all
    if isinstance(part, ng.Descendants):
        return _descendants
    raise refusal(BAD_JSONPATH, "this is not part of JSONPath here", (0, len(text)), _LITERAL)


def _index(indices: tuple[int, ...]) -> Selector:
    def select(values: list[Any]) -> list[Any]:
        lists = [value for value in values if isinstance(value, LISTS)]
        return [items[index] for items in lists for index in indices if -len(items) <= index < len(items)]

    return select


def _children_of_all(values: list[Any]) -> list[Any]:
    selected: list[Any] = []
    for value in values:
        selected.extend(_children(value))
    return selected


def _children(value: Any) -> Any:
    if isinstance(value, LISTS):
        return value
    return value.values() if isinstance(value, dict) else ()


def _descendants(values: list[Any]) -> list[Any]:
    """Return the values and all values below them, each before its children."""
    selected: list[Any] = []
    todo = values[::-1]
    while todo:
        value = todo.pop()
        selected.append(value)
        if len(selected) > LIST_CAP:
            raise Unfit(f"the JSONPath visits more than {LIST_CAP:,} values")
        todo.extend(reversed(list(_children(value))))
    return selected


def _select(static: tuple[str | int, ...], selectors: list[Selector]) -> Callable[[Scope], Any]:
    """Return a closure that reads the static start of a path and applies the selectors to it."""
    read = reader(static)

    def select(scope: Scope) -> Any:
        start = read(scope)
        values = [] if start is ABSENT else [start]
        for selector in selectors:
            values = selector(values)
            if len(values) > LIST_CAP:
                raise Unfit(f"the JSONPath selects more than {LIST_CAP:,} values")
        return values

    return select
