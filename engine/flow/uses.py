"""Checks of the compiled texts of a flow, once the outputs of all its nodes are known."""

from collections.abc import Mapping
from typing import Final

from msgspec import structs

from engine.flow.declared_fields import Types, with_types
from engine.flow.node_draft import NodeDraft
from engine.language.expression import Condition, Expression
from engine.language.fields import with_outputs
from engine.language.findings import findings
from engine.language.kinds import Shapes
from engine.problem import KeyPath, Problem

NO_TYPES: Final[Types] = {}


def useless_parts(drafts: Mapping[str, NodeDraft], types: Types = NO_TYPES) -> list[Problem]:
    """The problems of the expressions of all nodes: parts that have the same result, or fail, for all data.

    `types` are those of declared fields of the event: what only follows from them is a warning.
    """
    shapes = with_outputs({id: draft.output for id, draft in drafts.items()})
    found: list[Problem] = []
    for draft in drafts.values():
        for at, use in draft.config.uses:
            found += [problem.below(at) for problem in findings(use, shapes)]
            found += typed_findings(use, shapes, types, at) if types else ()
    return found


def typed_findings(use: Condition | Expression, shapes: Shapes, types: Types, at: KeyPath) -> list[Problem]:
    """The problems of a compiled text that only follow from the types of declared fields, as warnings."""
    known = findings(use, shapes)
    more = [problem for problem in findings(use, with_types(shapes, types)) if problem not in known]
    return [structs.replace(problem, severity="warning").below(at) for problem in more]
