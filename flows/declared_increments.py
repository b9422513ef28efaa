"""Increments of fields that `fields:` in headrace.yaml declares oldest, min or max: such values have no sum."""

from collections.abc import Iterator, Mapping
from typing import Any

from engine.language.path import parse_path
from engine.problem import Problem, ProblemError
from engine.profile.declared import Fields
from flows.written_nodes import written_nodes

INCREMENT = "profile.increment"


def increments_of_declared_fields(flow: Any, fields: Fields) -> Iterator[Problem]:
    """A problem for each increment of a declared field in a flow's document."""
    for at, node in written_nodes(flow):
        increments = node.get(INCREMENT)
        for text in increments if isinstance(increments, Mapping) else ():
            try:
                rule = fields.get(parse_path(text))
            except ProblemError:
                continue  # the flow's compiler reports it
            if rule is not None:
                yield Problem(
                    code="H410",
                    message=f"`{text}` is declared `{rule}` in headrace.yaml, so it cannot be incremented",
                    path=(*at, INCREMENT, text),
                    on="key",
                    help="set it, or take it out of `fields:`",
                )
