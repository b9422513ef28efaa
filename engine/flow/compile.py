"""From a flow's document (plain data) to its plan, with everything that is wrong with it.

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
from engine.flow.edges import about_edge, read_edges, read_starts
from engine.flow.graph import check_graph
from engine.flow.names import ProjectNames
from engine.flow.node_draft import NodeDraft, NodeDraftReader
from engine.flow.plan import Flow, ProfilePolicy
from engine.flow.planning import planned, wire
from engine.flow.problem_list import ProblemList
from engine.flow.registry import Registry
from engine.flow.trigger import read_trigger
from engine.problem import KeyPath, Problem

FLOW_KEYS = ("flow", "description", "trigger", "profile", "consents", "start", "nodes", "keep")
FLOW_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
MAX_NODES = 200
_OF_ORDER = frozenset({"H302", "H304", "H305", "H306", "H307", "H310"})  # what runs before what


def compile_flow(
    document: Any,
    names: ProjectNames,
    registry: Registry,
    lines: Callable[[KeyPath], int] = lambda path: 0,
    *,
    version: str = "",
    text: str = "",
) -> tuple[Flow | None, list[Problem]]:
    """The flow that `document` describes, or None when it has errors; and all problems, warnings included.

    `lines` gives the line of a key path in the file, for traces. `version` is the hash of `text`.
    """
    reader = _FlowReader(names, registry, lines)
    flow = reader.read(document, version, text)
    failed = any(p.severity == "error" for p in reader.complaints)
    return (None if failed else flow), reader.complaints


class _FlowReader:
    def __init__(self, names: ProjectNames, registry: Registry, lines: Callable[[KeyPath], int]) -> None:
        self.names = names
        self.registry = registry
        self.lines = lines
        self.complaints = ProblemList()

    def read(self, document: Any, version: str, text: str) -> Flow | None:
        if not isinstance(document, Mapping):
            self.complaints.add("H103", "a flow is a map with `flow`, `trigger` and `nodes`", ())
            return None
        self.complaints.unknown(document, FLOW_KEYS, (), "a flow")
        name = self.name(document)
        trigger = read_trigger(document.get("trigger"), self.names, self.complaints)
        policy = self.policy(document.get("profile", "optional"))
        consents = NO_CONSENTS
        if "consents" in document:
            consents = read_consents(document["consents"], ("consents",), self.names, self.complaints)
        drafts = self.drafts(document.get("nodes"))
        if not drafts:
            return None
        starts = read_starts(document.get("start"), drafts, self.complaints)
        before = [*placed_reads(trigger.when, ("trigger", "when")), *consents.reads]
        wiring = wire(drafts, starts, policy, before)
        found = check_graph(wiring)
        if any(map(about_edge, self.complaints)):  # what follows from an edge that is not there is no finding
            found = [p for p in found if p.code not in _OF_ORDER]
        self.complaints += found
        if any(p.code == "H301" for p in found) or any(d.config.template is None for d in drafts.values()):
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
            self.complaints.add("H102", "a flow needs a name", (), on="key", help=help)
        elif not isinstance(name, str) or not FLOW_NAME.fullmatch(name):
            help = "small letters, digits, - and _"
            self.complaints.add("H104", f"`{name}` is not a flow name", ("flow",), help=help)
        return str(name)

    def policy(self, raw: Any) -> ProfilePolicy:
        if raw in ("required", "optional", "none"):
            policy: ProfilePolicy = raw
            return policy
        help = "required, optional or none"
        self.complaints.add("H103", f"`{raw}` is not a profile policy", ("profile",), help=help)
        return "optional"

    def keep(self, share: Any) -> float | None:
        if share is None:
            return None
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            self.complaints.add("H103", "`keep` is the share of uneventful runs to store, from 0 to 1", ("keep",))
            return None
        return float(share)

    def drafts(self, raw: Any) -> dict[str, NodeDraft]:
        if not isinstance(raw, Mapping) or not raw:
            at: KeyPath = ("nodes",) if raw is not None else ()
            help = "write `count: {…}` for each, without a dash" if isinstance(raw, list) else ""
            self.complaints.add("H102", "a flow needs `nodes`, a map from node id to node", at, help=help)
            return {}
        if len(raw) > MAX_NODES:
            said = f"a flow has at most {MAX_NODES} nodes; this one has {len(raw)}"
            self.complaints.add("H103", said, ("nodes",), on="key")
            return {}
        reader = NodeDraftReader(self.names, self.registry, self.complaints)
        read = [reader.read(str(id), given) for id, given in raw.items()]
        drafts = {draft.id: draft for draft in read if draft is not None}
        if len(drafts) < len(raw):  # edges to the broken ones would be reported as unknown nodes
            return {}
        for draft, given in zip(drafts.values(), raw.values(), strict=True):
            read_edges(draft, given.get("next"), drafts, self.complaints)
        return drafts
