"""How a node's config becomes a node: what is fixed is read once, what has templates is filled in at each run."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from engine.flow.node import Node
from engine.language.absent import Unfit
from engine.language.expression import Condition
from engine.language.path import Scope
from engine.language.value import Value


class EvaluatedExpression(msgspec.Struct, frozen=True, omit_defaults=True):
    """One expression of a node as a trace shows it: its text, what it read, what came out."""

    expression: str
    values: dict[str, Any]
    result: Any = None


class ConfigTemplate:
    """Makes a node from a scope. Raises `Unusable` when a value is absent or of the wrong kind."""

    __slots__ = ("_conditions", "_needs_no_check", "_node", "_parts", "_single", "_static", "_values", "literals")

    def __init__(
        self,
        node: type[Node],
        literals: Mapping[str, Any],
        values: Mapping[str, Value],
        conditions: Mapping[str, Condition | Mapping[str, Condition]],
        needs_no_check: bool,
    ) -> None:
        self._node = node
        self.literals = dict(literals)  # of the types that the fields have
        self._values = dict(values)
        self._conditions = dict(conditions)
        self._needs_no_check = needs_no_check
        self._static = None if values or conditions else node(**self.literals)
        self._parts: list[tuple[str, Callable[[Scope], Any]]] = [
            *((name, value.evaluate) for name, value in values.items()),
            *((name, _tests(condition)) for name, condition in conditions.items()),
        ]
        self._single = self._parts[0] if len(self._parts) == 1 and not self.literals else None

    def __call__(self, scope: Scope) -> Node:
        """The node with everything filled in."""
        if self._static is not None:
            return self._static
        if self._single is not None:  # most nodes have one field, or one that is filled in
            name, evaluate = self._single
            given = {name: evaluate(scope)}
        else:
            given = {name: evaluate(scope) for name, evaluate in self._parts}
            given |= self.literals
        if self._needs_no_check:
            return self._node(**given)
        try:
            return msgspec.convert(given, self._node)
        except msgspec.ValidationError as error:
            raise Unfit(_said(error)) from None

    def explain(self, scope: Scope) -> tuple[tuple[EvaluatedExpression, ...], dict[str, Any]]:
        """The conditions with their evaluated parts, and what the templates read. Never raises."""
        read: dict[str, Any] = {}
        for value in self._values.values():
            read.update(value.source_values(scope))
        conditions: list[Condition] = []
        for condition in self._conditions.values():
            conditions += [condition] if isinstance(condition, Condition) else condition.values()
        return tuple([evaluate_expression(condition, scope) for condition in conditions]), read


def _tests(condition: Condition | Mapping[str, Condition]) -> Callable[[Scope], Any]:
    """What evaluates a condition, or a map of them."""
    if isinstance(condition, Condition):
        return condition.test
    tests = {case: each.test for case, each in condition.items()}
    return lambda scope: {case: test(scope) for case, test in tests.items()}


def evaluate_expression(condition: Condition, scope: Scope) -> EvaluatedExpression:
    """A condition as a trace shows it."""
    said = condition.explain(scope)
    return EvaluatedExpression(condition.source, said.values, said.value)


def _said(error: msgspec.ValidationError) -> str:
    """msgspec's complaint about a filled-in node, beginning with the field."""
    message, _, place = str(error).partition(" - at `")
    field = _FIELD.search(place)
    return f"`{field[1]}`: {message[:1].lower()}{message[1:]}" if field else message


_FIELD = re.compile(r"\$\.(\w+)")


def encoded(text: str) -> str:
    """A part of a look-up's path, percent-encoded so that it stays one part. Raises `Unfit` for no text at all."""
    if not text:
        raise Unfit("a part of the path is empty")
    if text in {".", ".."}:
        return text.replace(".", "%2E")
    return quote(text, safe="")
