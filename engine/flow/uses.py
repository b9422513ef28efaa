"""Checks of the compiled texts of a flow, once the outputs of all its nodes are known."""

from collections.abc import Mapping

from engine.flow.node_draft import NodeDraft
from engine.language.fields import with_outputs
from engine.language.findings import findings
from engine.problem import Problem


def useless_parts(drafts: Mapping[str, NodeDraft]) -> list[Problem]:
    """The problems of the expressions of all nodes: parts that have the same result, or fail, for all data."""
    shapes = with_outputs({id: draft.output for id, draft in drafts.items()})
    return [
        problem.below(at)
        for draft in drafts.values()
        for at, use in draft.config.uses
        for problem in findings(use, shapes)
    ]
