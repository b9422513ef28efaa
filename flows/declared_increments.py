"""A path that `fields:` declares oldest, min or max is set, never counted: its rule has no sum."""

from collections.abc import Iterator, Mapping
from typing import Any

from engine.language.path import parse_path
from engine.problem import Problem, ProblemError
from engine.profile.declared import Fields

COUNTING = "profile.increment"


def increments_of_declared_fields(flow: Any, fields: Fields) -> list[Problem]:
    """The increments of declared paths in a flow's document."""
    nodes = flow.get("nodes") if isinstance(flow, Mapping) and fields else None
    return list(_counted(nodes, fields)) if isinstance(nodes, Mapping) else []


def _counted(nodes: Mapping[str, Any], fields: Fields) -> Iterator[Problem]:
    for id, node in nodes.items():
        values = node.get(COUNTING) if isinstance(node, Mapping) else None
        for text in values if isinstance(values, Mapping) else ():
            try:
                rule = fields.get(parse_path(text))
            except ProblemError:
                continue  # the flow's compiler has said so
            if rule is not None:
                yield Problem(
                    code="H410",
                    message=f"`{text}` is declared `{rule}` in headrace.yaml, so it cannot be incremented",
                    path=("nodes", id, COUNTING, text),
                    on="key",
                    help="set it, or take it out of `fields:`",
                )
