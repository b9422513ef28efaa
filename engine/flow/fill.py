"""How a node's config becomes a node: what is fixed is read once, what has templates is filled in at each run."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from engine.flow.node import Node
from engine.language.absent import Unfit
from engine.language.expression import Condition
from engine.language.scope import Scope
from engine.language.value import Value

Evaluate = Callable[[Scope], Any]


class Looked(msgspec.Struct, frozen=True, omit_defaults=True):
    """One expression of a node as a trace shows it: its text, what it read, what came out."""

    expression: str
    values: dict[str, Any]
    result: Any = None


class Fill:
    """Makes a node from a scope. Raises `Unusable` when a value is absent or of the wrong kind."""

    __slots__ = ("_conditions", "_node", "_static", "_trusted", "_values", "literals")

    def __init__(
        self,
        node: type[Node],
        literals: Mapping[str, Any],
        values: Mapping[str, Value],
        conditions: Mapping[str, Condition | Mapping[str, Condition]],
        trusted: bool,
    ) -> None:
        self._node = node
        self.literals = dict(literals)
        self._values = dict(values)
        self._conditions = dict(conditions)
        self._trusted = trusted
        self._static = None if values or conditions else msgspec.convert(self.literals, node)

    def __call__(self, scope: Scope) -> Node:
        """The node with everything filled in."""
        if self._static is not None:
            return self._static
        given = self.literals.copy()
        for name, value in self._values.items():
            given[name] = value.evaluate(scope)
        for name, condition in self._conditions.items():
            if isinstance(condition, Condition):
                given[name] = condition.test(scope)
            else:
                given[name] = {case: test.test(scope) for case, test in condition.items()}
        return self._make(given)

    def traced(self, scope: Scope) -> tuple[Node, tuple[Looked, ...], dict[str, Any]]:
        """The node; its conditions with their evaluated parts; and what its templates read."""
        if self._static is not None:
            return self._static, (), {}
        given = self.literals.copy()
        looked: list[Looked] = []
        read: dict[str, Any] = {}
        for name, value in self._values.items():
            given[name] = value.evaluate(scope)
            read.update(value.source_values(scope))
        for name, condition in self._conditions.items():
            cases = {"": condition} if isinstance(condition, Condition) else condition
            said = {case: test.explain(scope) for case, test in cases.items()}
            looked += [Looked(cases[case].source, one.values, one.value) for case, one in said.items()]
            results = {case: bool(one.value) for case, one in said.items()}
            given[name] = results[""] if isinstance(condition, Condition) else results
        return self._make(given), tuple(looked), read

    def _make(self, given: dict[str, Any]) -> Node:
        if self._trusted:
            return self._node(**given)
        try:
            return msgspec.convert(given, self._node)
        except msgspec.ValidationError as wrong:
            raise Unfit(str(wrong)) from None


def encoded(value: Any) -> str:
    """A part of a look-up's path, percent-encoded so that it stays one part."""
    text = "true" if value is True else "false" if value is False else str(value)
    if text in {".", ".."}:
        return text.replace(".", "%2E")
    return quote(text, safe="")
