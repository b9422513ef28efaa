"""Config templates: a node's config, compiled. Fixed values are converted once, templates are evaluated at each run."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec.structs import fields

from engine.flow.node import Node
from engine.language.absent import Unfit
from engine.language.expression import Condition
from engine.language.path import Scope
from engine.language.value import Value
from engine.problem import KeyPath


class EvaluatedExpression(msgspec.Struct, frozen=True, omit_defaults=True):
    """One expression of a node as a trace shows it: its text, the values that it read, its result."""

    expression: str
    values: dict[str, Any]
    result: Any = None


class ConfigTemplate:
    """Makes a node from a scope. Calling it raises `Unusable` when a value is absent or of the wrong type."""

    __slots__ = (
        "_conditions",
        "_needs_no_check",
        "_node",
        "_parts",
        "_renamed",
        "_single",
        "_static",
        "_values",
        "literals",
    )

    def __init__(
        self,
        node: type[Node],
        literals: Mapping[str, Any],
        values: Mapping[str, Value],
        conditions: Mapping[str, Condition | Mapping[str, Condition]],
        needs_no_check: bool,
    ) -> None:
        self._node = node
        self.literals = dict(literals)  # converted to the types of their fields
        self._values = dict(values)
        self._conditions = dict(conditions)
        self._needs_no_check = needs_no_check
        self._static = None if values or conditions else node(**self.literals)
        self._parts: list[tuple[str, Callable[[Scope], Any]]] = [
            *((name, value.evaluate) for name, value in values.items()),
            *((name, _evaluator(condition)) for name, condition in conditions.items()),
        ]
        self._renamed = {info.name: info.encode_name for info in fields(node) if info.name != info.encode_name}
        self._single = self._parts[0] if len(self._parts) == 1 and not self.literals else None

    def __call__(self, scope: Scope) -> Node:
        """The node, with all templates and conditions evaluated in `scope`."""
        if self._static is not None:
            return self._static
        if self._single is not None:  # fast path: most nodes have one field
            name, evaluate = self._single
            config = {name: evaluate(scope)}
        else:
            config = {name: evaluate(scope) for name, evaluate in self._parts}
            config |= self.literals
        if self._needs_no_check:
            return self._node(**config)
        if self._renamed:
            config = {self._renamed.get(name, name): value for name, value in config.items()}
        try:
            return msgspec.convert(config, self._node)
        except msgspec.ValidationError as error:
            raise Unfit(_field_message(error)) from None

    @property
    def reads_profile(self) -> bool:
        """Whether a template or condition of the config reads the profile."""
        reads = [read for value in self._values.values() for _, read in value.reads]
        for part in self._conditions.values():
            for condition in [part] if isinstance(part, Condition) else part.values():
                reads += condition.reads
        return any(read.path[0] == "profile" for read in reads)

    @property
    def entries_read(self) -> list[tuple[KeyPath, tuple[str, ...]]]:
        """The reads of the templates of the config: the key path within a field, and the path that is read."""
        return [(at, read.path) for value in self._values.values() for at, read in value.reads]

    def explain(self, scope: Scope) -> tuple[tuple[EvaluatedExpression, ...], dict[str, Any]]:
        """For traces: the conditions with their evaluated parts, and the values that templates read. Never raises."""
        read: dict[str, Any] = {}
        for value in self._values.values():
            read.update(value.source_values(scope))
        conditions: list[Condition] = []
        for condition in self._conditions.values():
            conditions += [condition] if isinstance(condition, Condition) else condition.values()
        return tuple([evaluate_expression(condition, scope) for condition in conditions]), read


def _evaluator(condition: Condition | Mapping[str, Condition]) -> Callable[[Scope], Any]:
    """A function that evaluates a condition, or each condition of a map."""
    if isinstance(condition, Condition):
        return condition.test
    tests = {case: case_condition.test for case, case_condition in condition.items()}
    return lambda scope: {case: test(scope) for case, test in tests.items()}


def evaluate_expression(condition: Condition, scope: Scope) -> EvaluatedExpression:
    """A condition as a trace shows it."""
    explanation = condition.explain(scope)
    return EvaluatedExpression(condition.source, explanation.values, explanation.value)


def _field_message(error: msgspec.ValidationError) -> str:
    """msgspec's message about a node's evaluated config, with the name of the field in front."""
    message, _, location = str(error).partition(" - at `")
    field = _FIELD.search(location)
    return f"`{field[1]}`: {message[:1].lower()}{message[1:]}" if field else message


_FIELD = re.compile(r"\$\.(\w+)")


def percent_encode(text: str) -> str:
    """Percent-encode `text` so that it stays one segment of a URL path. Raises `Unfit` for an empty text."""
    if not text:
        raise Unfit("a part of the path is empty")
    if text in {".", ".."}:
        return text.replace(".", "%2E")
    return quote(text, safe="")
