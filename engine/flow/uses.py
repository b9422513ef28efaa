"""Checks of the compiled texts of a flow, once the outputs of all its nodes are known."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import structs

from engine.flow.declared_fields import Types, with_types
from engine.flow.node_draft import NodeDraft
from engine.language.expression import Condition, Expression
from engine.language.fields import with_outputs
from engine.language.findings import findings
from engine.language.kinds import A_NUMBER, Shapes
from engine.problem import KeyPath, Problem

NO_TYPES: Final[Types] = {}


def useless_parts(drafts: Mapping[str, NodeDraft], types: Types = NO_TYPES) -> list[Problem]:
    """The problems of the expressions of all nodes: parts that have the same result, or fail, for all data.

    `types` are those of declared fields of the event: what only follows from them is a warning.
    """
    return list(_useless(drafts, {}, {}, types))


def _useless(drafts: Mapping[str, NodeDraft], around: Shapes, loop: Shapes, types: Types) -> Iterator[Problem]:
    """Yield the problems of the expressions of some nodes, and of those in their loops.

    `around` are the outputs of the nodes around their loop, and `loop` has the shapes of `item` and `index`.
    """
    outputs = {**around, **{id: draft.output for id, draft in drafts.items()}}
    shapes = {**with_outputs(outputs), **loop}
    for draft in drafts.values():
        yield from _useless_uses(draft.config.uses, shapes, types)
        if (body := draft.body) is not None:
            inner = {"item": body.item, "index": A_NUMBER}
            yield from _useless(body.drafts, outputs, inner, types)
            of_body = with_outputs({**outputs, **{id: each.output for id, each in body.drafts.items()}})
            yield from _useless_uses(body.uses, {**of_body, **inner}, types)


def _useless_uses(
    uses: Iterable[tuple[KeyPath, Condition | Expression]], shapes: Shapes, types: Types
) -> Iterator[Problem]:
    for at, use in uses:
        yield from [problem.below(at) for problem in findings(use, shapes)]
        if types:
            yield from typed_findings(use, shapes, types, at)


def typed_findings(use: Condition | Expression, shapes: Shapes, types: Types, at: KeyPath) -> list[Problem]:
    """The problems of a compiled text that only follow from the types of declared fields, as warnings."""
    known = findings(use, shapes)
    more = [problem for problem in findings(use, with_types(shapes, types)) if problem not in known]
    return [structs.replace(problem, severity="warning").below(at) for problem in more]
