"""Maps of nodes as they are written, that of a flow or of a loop's body: their drafts, their edges, their graph."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from engine.flow.edges import Ends, check_targets, edge_targets, is_edge_problem, read_edges
from engine.flow.loop_node import is_loop
from engine.flow.names import ProjectNames
from engine.flow.node_draft import BodyDraft, NodeDraft, NodeDraftReader
from engine.flow.plan import ProfilePolicy
from engine.flow.problem_list import ProblemList
from engine.flow.registry import Registry
from engine.problem import KeyPath, Problem

MAX_NODES = 200  # in one map
_ORDER_CODES = frozenset({"H302", "H304", "H305", "H306", "H307", "H310"})  # they depend on every edge of the graph
_NODES = "write `{key}:`, and below it a node by its id, e.g. `count: {{profile.increment: {{traits.orders: 1}}}}`"


@dataclass(slots=True)
class Surroundings:
    """The place of a map of nodes: its key path, and the flow and the loops around it."""

    at: KeyPath = ("nodes",)
    policy: ProfilePolicy = "optional"
    scheduled: bool = False  # the flow has no profile since it has a schedule
    loops: int = 0  # around it
    around: frozenset[str] = frozenset()  # the ids of the nodes beside its loop and beside the loops around that
    taken: set[str] = field(default_factory=set)  # the ids of all nodes of the flow that have been read

    def within(self, at: KeyPath) -> "Surroundings":
        """The place of the body of a loop, which is at `at` of the document."""
        return replace(self, at=at, loops=self.loops + 1)


class Bodies(Protocol):
    """Reads the bodies of loops."""

    def read(self, draft: NodeDraft, raw: Mapping[str, Any], around: Surroundings) -> BodyDraft | None:
        """The body of the loop `draft`, which is written as `raw`; None when it has errors."""


class NodeMapReader:
    """Reads a map of nodes, and adds its errors to `problems`."""

    def __init__(
        self, names: ProjectNames, registry: Registry, problems: ProblemList, place: Surroundings, bodies: "Bodies"
    ) -> None:
        self.names = names
        self.registry = registry
        self.problems = problems
        self.place = place
        self.bodies = bodies

    def read(
        self, raw: Any, noun: str, unreadable: frozenset[str] = frozenset(), *, absent: bool = False
    ) -> tuple[dict[str, NodeDraft], frozenset[str]]:
        """The drafts by id, and the ids of the nodes that cannot be read. `absent`: the key of the map is missing."""
        at = self.place.at
        raw = {str(id): node for id, node in raw.items()} if isinstance(raw, Mapping) else raw
        if not isinstance(raw, Mapping) or not raw:
            message = f"{noun} needs `{at[-1]}`, a map from node id to node"
            self.problems.add("H102", message, () if absent else at, on="key", help=_NODES.format(key=at[-1]))
            return {}, frozenset()
        if len(raw) > MAX_NODES:
            message = f"{noun} has at most {MAX_NODES} nodes; this one has {len(raw)}"
            self.problems.add("H103", message, at, on="key")
            return {}, frozenset()
        self._take_ids(raw)
        reader = NodeDraftReader(self.names, self.registry, self.problems, at)
        all_drafts = [reader.read(id, node) for id, node in raw.items() if id not in unreadable]
        drafts = {draft.id: draft for draft in all_drafts if draft is not None}
        place = replace(self.place, around=self.place.around.union(raw))
        for id, draft in drafts.items():
            if is_loop(draft.node):
                draft.body = self.bodies.read(draft, raw[id], place)
        unread = frozenset(raw) - drafts.keys()
        ends = Ends(drafts, unread, self._outside(raw))
        for id, draft in drafts.items():
            read_edges(draft, raw[id].get("next"), ends, self.problems)
        for id in sorted(unread):
            check_targets(id, raw[id], (*at, id), ends, self.problems)
        return drafts, unread

    def _outside(self, raw: Mapping[str, Any]) -> dict[str, str]:
        """By the ids of nodes in other maps of the flow: the remedy for an edge that leads there."""
        others = self.place.taken - raw.keys()
        inside = "it is in a loop: lead to the loop, which starts its turns itself"
        if not self.place.loops:
            return dict.fromkeys(others, inside)
        loop = self.place.at[-3]
        leave = "it is outside of the loop: write `next: {id}` in `{loop}`, which leads there after all turns"
        return {id: leave.format(id=id, loop=loop) if id in self.place.around else inside for id in others}

    def _take_ids(self, raw: Mapping[str, Any]) -> None:
        """Check that each id is the only one of its name in the flow."""
        for id in raw:
            if id in self.place.taken:
                help = "each node of a flow has an id of its own, also within loops: tests and traces go by it"
                self.problems.add(
                    "H105", f"the flow has another node `{id}`", (*self.place.at, id), on="key", help=help
                )
        self.place.taken.update(raw)


def independent(
    graph_problems: Iterable[Problem],
    problems: Iterable[Problem],
    raw: Mapping[str, Any],
    drafts: Mapping[str, NodeDraft],
    unread: frozenset[str],
    at: KeyPath,
) -> list[Problem]:
    """The problems of a graph that are no consequence of a missing edge or of a node that could not be read.

    `problems` are those found so far, `raw` the map of nodes, which is at `at`.
    """
    depth = len(at)
    found = [problem for problem in problems if problem.path[:depth] == at]
    edges = [problem for problem in found if is_edge_problem(problem, at)]
    leading = {id for id, node in raw.items() if unread.intersection(edge_targets(node))}
    leading |= {str(p.path[depth]) for p in found if _may_be_edge(p, raw, drafts, at)}
    if not edges and not unread and not leading:
        return list(graph_problems)
    without_edge = {*leading, *(problem.path[depth] for problem in edges)}
    return [
        problem
        for problem in graph_problems
        if problem.code not in _ORDER_CODES
        and not (problem.code == "H303" and problem.path[depth] in without_edge)
        and not (problem.code == "H117" and unread)
    ]


def _may_be_edge(problem: Problem, nodes: Mapping[str, Any], drafts: Mapping[str, NodeDraft], at: KeyPath) -> bool:
    """Whether a problem is about an unknown key of a node that leads to other nodes, as an edge of another tool."""
    depth = len(at)
    if problem.code != "H101" or len(problem.path) != depth + 2:
        return False
    node = nodes.get(str(problem.path[depth]))
    value = node.get(problem.path[depth + 1]) if isinstance(node, Mapping) else None
    return any(target in drafts for target in edge_targets({"next": value}))
