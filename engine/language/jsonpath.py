"""JSONPath, parsed by jsonpath-ng and compiled to look-ups: `$.event.properties.items[*].sku`.

A path without wildcards gives the value; any other a list, empty when nothing matches. There are no filters.
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

Step = Callable[[list[Any]], list[Any]]  # what is selected -> what is selected below it

_PLACE = re.compile(r"(?:col |at \d+:)(\d+)")
_LITERAL = "a literal text that begins with `$.` is written `$$.`"
_REFUSED = {
    "WHERE": "there is no `where` here; a key of that name stands in quotes: `['where']`",
    "WHERENOT": "there is no `wherenot` here; a key of that name stands in quotes: `['wherenot']`",
    "NAMED_OPERATOR": "there are no operators such as `parent`",
    "|": "there is no union; write two values",
    "&": "there is no intersection",
    "(": "there are no round brackets",
    "~": "there is no `~`",
}


class JsonPath:
    """A compiled JSONPath. `evaluate` raises `Absent` where a path without wildcards leads nowhere."""

    __slots__ = ("_read", "evaluate", "reads", "source")

    def __init__(self, source: str, static: tuple[str | int, ...], steps: list[Step]) -> None:
        self.source = source
        path = tuple(str(part) for part in static)
        self.reads: tuple[Read, ...] = (Read(path, 0, len(source), handled=bool(steps)),)
        self._read = _selector(static, steps) if steps else reader(static)
        self.evaluate: Callable[[Scope], Any] = self._read if steps else needer(static, source)

    def note(self, scope: Scope, values: dict[str, Any]) -> Any:
        """What `evaluate` gives, noted in `values`."""
        found = self._read(scope)
        values[self.source] = "absent" if found is ABSENT else found
        return self.evaluate(scope) if found is ABSENT else found


def compile_jsonpath(text: str, roots: frozenset[str]) -> JsonPath:
    """The JSONPath that `text` spells; raises `ProblemError` with the place and the remedy."""
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
    return JsonPath(text, tuple(static), [_step(part, text) for part in parts])


def _parsed(text: str) -> Any:
    """jsonpath-ng's tree, of the tokens that are allowed."""
    try:
        for count, token in enumerate(JsonPathLexer().tokenize(text)):
            at = (token.lexpos, token.lexpos + 1)
            if token.type in _REFUSED:
                raise refusal(BAD_JSONPATH, _REFUSED[token.type], at, _LITERAL)
            if count > TOKEN_CAP:
                raise refusal(TOO_LARGE, f"a JSONPath has at most {TOKEN_CAP} names and signs", at)
        return JsonPathParser().parse(text)
    except JSONPathError as error:
        raise _unreadable(text, str(error)) from None


def _unreadable(text: str, message: str) -> ProblemError:
    found = _PLACE.search(message)
    at: Span = (min(int(found[1]), len(text)), min(int(found[1]), len(text)) + 1) if found else (0, len(text))
    if "near the end" in message:
        return refusal(BAD_JSONPATH, "the JSONPath ends where more is expected", (len(text), len(text) + 1), _LITERAL)
    if "EOF in string" in message:
        return refusal(BAD_JSONPATH, "a quote is never closed", at, _LITERAL)
    sign = text[at[0] : at[1]]
    if sign == "?":
        remedy = "select in a condition, or take the whole list"
        return refusal(BAD_JSONPATH, "there are no filters in a JSONPath here", at, remedy)
    return refusal(BAD_JSONPATH, f"unexpected `{sign}` in a JSONPath" if sign else "this is no JSONPath", at, _LITERAL)


def _flat(node: Any) -> list[Any]:
    """The steps from the root; `Descendants` stands for going down any number of levels."""
    if isinstance(node, ng.Child):
        return _flat(node.left) + _flat(node.right)
    if isinstance(node, ng.Descendants):
        return [*_flat(node.left), node, *_flat(node.right)]
    return [] if isinstance(node, ng.Root) else [node]


def _single(part: Any) -> str | int | None:
    if isinstance(part, ng.Fields) and len(part.fields) == 1:
        return str(part.fields[0])
    if isinstance(part, ng.Index) and len(part.indices) == 1:
        return int(part.indices[0])
    return None


def _step(part: Any, text: str) -> Step:
    if isinstance(part, ng.Fields):
        names = part.fields
        return lambda held: [one[name] for one in held if isinstance(one, dict) for name in names if name in one]
    if isinstance(part, ng.Index):
        return _index(part.indices)
    if isinstance(part, ng.Slice):
        chosen = slice(part.start, part.end, part.step)
        if part.step == 0:
            raise refusal(BAD_JSONPATH, "a slice's step is not 0", (0, len(text)))
        return lambda held: [item for one in held if isinstance(one, LISTS) for item in one[chosen]]
    if isinstance(part, ng.Wildcard):
        return _spread
    if isinstance(part, ng.Descendants):
        return _descend
    raise refusal(BAD_JSONPATH, "this is not part of JSONPath here", (0, len(text)), _LITERAL)


def _index(indices: tuple[int, ...]) -> Step:
    def step(held: list[Any]) -> list[Any]:
        lists = [one for one in held if isinstance(one, LISTS)]
        return [one[index] for one in lists for index in indices if -len(one) <= index < len(one)]

    return step


def _spread(held: list[Any]) -> list[Any]:
    found: list[Any] = []
    for one in held:
        found.extend(_below(one))
    return found


def _below(value: Any) -> Any:
    if isinstance(value, LISTS):
        return value
    return value.values() if isinstance(value, dict) else ()


def _descend(held: list[Any]) -> list[Any]:
    """All of `held` and all below, each before what is in it."""
    found: list[Any] = []
    todo = held[::-1]
    while todo:
        value = todo.pop()
        found.append(value)
        if len(found) > LIST_CAP:
            raise Unfit(f"the JSONPath meets more than {LIST_CAP:,} values")
        todo.extend(reversed(list(_below(value))))
    return found


def _selector(static: tuple[str | int, ...], steps: list[Step]) -> Callable[[Scope], Any]:
    read = reader(static)

    def select(scope: Scope) -> Any:
        start = read(scope)
        held = [] if start is ABSENT else [start]
        for step in steps:
            held = step(held)
            if len(held) > LIST_CAP:
                raise Unfit(f"the JSONPath selects more than {LIST_CAP:,} values")
        return held

    return select
