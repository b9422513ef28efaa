"""The compiler: from a flow's document (plain data) to its plan, or to the list of its problems.

Codes: H101 unknown key, H102 missing key, H103 wrong kind of value, H104 bad name, H105 bad node id, H110 no type,
H111 unknown type, H112 two types, H113 unknown field, H114 wrong value, H115 missing field, H116 unknown port,
H117 unknown node, H118 unknown name, H119 bad duration, H120 nothing to wait for, H121 not available yet,
H122 a port beside `next`, H123 one field in place of another, H311 no main port, or nothing comes after it; the other
H3xx are of the graph (`graph.py`).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from engine.flow.condition import placed_reads
from engine.flow.consents import NO_CONSENTS, read_consents
from engine.flow.edges import is_edge_problem, read_edges, read_starts
from engine.flow.graph import check_graph
from engine.flow.names import ProjectNames
from engine.flow.node_draft import NodeDraft, NodeDraftReader
from engine.flow.plan import Flow, ProfilePolicy
from engine.flow.planning import planned, wire
from engine.flow.problem_list import ProblemList
from engine.flow.registry import Registry
from engine.flow.trigger import read_trigger
from engine.flow.uses import useless_parts
from engine.problem import KeyPath, Problem

FLOW_KEYS = ("flow", "description", "trigger", "profile", "consents", "start", "nodes", "keep")
FLOW_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
MAX_NODES = 200
_ORDER_CODES = frozenset({"H302", "H304", "H305", "H306", "H307", "H310"})  # they depend on every edge of the graph


def compile_flow(
    document: Any,
    names: ProjectNames,
    registry: Registry,
    lines: Callable[[KeyPath], int] = lambda path: 0,
    *,
    version: str = "",
    text: str = "",
) -> tuple[Flow | None, list[Problem]]:
    """Compile `document`. Returns the flow, or None when it has errors; and all its problems, warnings included.

    `lines` returns the line of a key path in the file, for traces. `version` is the hash of `text`.
    """
    reader = _FlowReader(names, registry, lines)
    flow = reader.read(document, version, text)
    failed = any(p.severity == "error" for p in reader.problems)
    return (None if failed else flow), reader.problems


class _FlowReader:
    def __init__(self, names: ProjectNames, registry: Registry, lines: Callable[[KeyPath], int]) -> None:
        self.names = names
        self.registry = registry
        self.lines = lines
        self.problems = ProblemList()

    def read(self, document: Any, version: str, text: str) -> Flow | None:
        if not isinstance(document, Mapping):
            self.problems.add("H103", "a flow is a map with `flow`, `trigger` and `nodes`", ())
            return None
        self.problems.add_unknown_keys(document, FLOW_KEYS, (), "a flow")
        name = self.name(document)
        trigger = read_trigger(document.get("trigger"), self.names, self.problems)
        policy = self.policy(document.get("profile", "optional"))
        consents = NO_CONSENTS
        if "consents" in document:
            consents = read_consents(document["consents"], ("consents",), self.names, self.problems)
        drafts = self.drafts(document.get("nodes"))
        if not drafts:
            return None
        starts = read_starts(document.get("start"), drafts, self.problems)
        trigger_reads = [*placed_reads(trigger.when, ("trigger", "when")), *consents.reads]
        wiring = wire(drafts, starts, policy, trigger_reads)
        graph_problems = check_graph(wiring)
        if any(map(is_edge_problem, self.problems)):  # these would only be consequences of the missing edge
            graph_problems = [p for p in graph_problems if p.code not in _ORDER_CODES]
        self.problems += graph_problems
        if any(p.code == "H301" for p in graph_problems) or any(d.config.template is None for d in drafts.values()):
            return None
        return Flow(
            name=name,
            version=version,
            trigger=trigger,
            profile=policy,
            consents=consents.names,
            description=str(document.get("description", "")),
            keep=self.keep(document.get("keep")),
            text=text,
            **planned(wiring, drafts, self.lines),
        )

    def name(self, document: Mapping[str, Any]) -> str:
        name = document.get("flow")
        if name is None:
            help = "begin the file with `flow: the-name`"
            self.problems.add("H102", "a flow needs a name", (), on="key", help=help)
        elif not isinstance(name, str) or not FLOW_NAME.fullmatch(name):
            help = "small letters, digits, - and _"
            self.problems.add("H104", f"`{name}` is not a flow name", ("flow",), help=help)
        return str(name)

    def policy(self, raw: Any) -> ProfilePolicy:
        if raw in ("required", "optional", "none"):
            policy: ProfilePolicy = raw
            return policy
        help = "required, optional or none"
        self.problems.add("H103", f"`{raw}` is not a profile policy", ("profile",), help=help)
        return "optional"

    def keep(self, share: Any) -> float | None:
        if share is None:
            return None
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            self.problems.add("H103", "`keep` is the share of uneventful runs to store, from 0 to 1", ("keep",))
            return None
        return float(share)

    def drafts(self, raw: Any) -> dict[str, NodeDraft]:
        if not isinstance(raw, Mapping) or not raw:
            at: KeyPath = ("nodes",) if raw is not None else ()
            help = "write `count: {…}` for each, without a dash" if isinstance(raw, list) else ""
            self.problems.add("H102", "a flow needs `nodes`, a map from node id to node", at, help=help)
            return {}
        if len(raw) > MAX_NODES:
            message = f"a flow has at most {MAX_NODES} nodes; this one has {len(raw)}"
            self.problems.add("H103", message, ("nodes",), on="key")
            return {}
        reader = NodeDraftReader(self.names, self.registry, self.problems)
        all_drafts = [reader.read(str(id), node) for id, node in raw.items()]
        drafts = {draft.id: draft for draft in all_drafts if draft is not None}
        self.problems += useless_parts(drafts)
        if len(drafts) < len(raw):  # edges to the missing nodes would be reported as errors, too
            return {}
        for draft, node in zip(drafts.values(), raw.values(), strict=True):
            read_edges(draft, node.get("next"), drafts, self.problems)
        return drafts
