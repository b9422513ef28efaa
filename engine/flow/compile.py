"""The compiler: from a flow's document (plain data) to its plan, or to the list of its problems.

Codes: H101 unknown key, H102 missing key, H103 wrong kind of value, H104 bad name, H105 bad node id, H110 no type,
H111 unknown type, H112 two types, H113 unknown field, H114 wrong value, H115 missing field, H116 unknown port,
H117 unknown node, H118 unknown name, H119 bad duration, H120 nothing to wait for, H121 not available,
H122 a port beside `next`, H123 one field in place of another, H124 a key of a node below its type, H125 a type or a
path as a value, H126 a body that is not indented, H127 a file of another tool, H128 a property like a declared one,
H129 a node or policy that does not fit a schedule, H139 a target of another kind, H311 no main port, or nothing comes
after it; the other H3xx are of the graph (`graph.py`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from engine.flow.body import BodyReader
from engine.flow.condition import placed_reads
from engine.flow.consents import NO_CONSENTS, read_consents
from engine.flow.declared_fields import Types, declared_for, similar_fields
from engine.flow.edges import read_starts
from engine.flow.flow_shape import FLOW_KEYS, other_tool, reshape_flow, slug_of
from engine.flow.graph import check_graph
from engine.flow.names import ProjectNames
from engine.flow.node_draft import NodeDraft
from engine.flow.node_map import NodeMapReader, Surroundings, independent
from engine.flow.plan import Flow, ProfilePolicy, WhileWaiting
from engine.flow.planning import planned, wire
from engine.flow.problem_list import ProblemList
from engine.flow.registry import Registry
from engine.flow.reshaped import Reshaped
from engine.flow.schedule import Schedule
from engine.flow.schedule_uses import schedule_uses
from engine.flow.trigger import read_trigger
from engine.flow.uses import typed_findings, useless_parts
from engine.flow.workarounds import FLOW_WORKAROUNDS
from engine.language.fields import FIELDS
from engine.problem import KeyPath, Problem
from engine.validation_message import format_value

FLOW_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")


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
    if not isinstance(document, Mapping):
        return None, [Problem(code="H103", message="a flow is a map with `flow`, `trigger` and `nodes`")]
    foreign = other_tool(document)
    if foreign is not None:
        return None, foreign.problems
    reshaped = reshape_flow(document, registry)
    reader = _FlowReader(names, registry, lines)
    flow = reader.read(reshaped, version, text)
    problems = [*reshaped.problems, *map(reshaped.as_written, reader.problems)]
    failed = any(p.severity == "error" for p in problems)
    return (None if failed else flow), problems


class _FlowReader:
    def __init__(self, names: ProjectNames, registry: Registry, lines: Callable[[KeyPath], int]) -> None:
        self.names = names
        self.registry = registry
        self.lines = lines
        self.problems = ProblemList()
        self.types: Types = {}  # of the event's properties

    def read(self, reshaped: Reshaped, version: str, text: str) -> Flow | None:
        document = reshaped.document
        self.problems.add_unknown_keys(document, FLOW_KEYS, (), "a flow", FLOW_WORKAROUNDS)
        name = self.name(document)
        trigger = read_trigger(document, self.names, self.problems)
        fields = declared_for(trigger.events, self.names.fields)
        self.types = fields if self.names.typed else {}
        if trigger.when is not None and self.types:
            self.problems += typed_findings(trigger.when, FIELDS, self.types, ("trigger", "when"))
        policy = self.policy(document.get("profile", "optional"))
        if trigger.schedule is not None:
            policy = self.scheduled_policy(document, trigger.schedule)
        consents = NO_CONSENTS
        if "consents" in document:
            consents = read_consents(document["consents"], ("consents",), self.names, self.problems)
        if reshaped.partial:
            return None
        nodes = document.get("nodes")
        bodies = BodyReader(self.names, self.registry, self.problems)
        scheduled = trigger.schedule is not None and policy == "none"
        place = Surroundings(policy=policy, scheduled=scheduled)
        reader = NodeMapReader(self.names, self.registry, self.problems, place, bodies)
        drafts, unread = reader.read(nodes, "a flow", frozenset(reshaped.unread), absent="nodes" not in document)
        if not drafts:
            return None
        self.problems += useless_parts(drafts, self.types)
        while_waiting = self.while_waiting(document, drafts, uncertain=bodies.waits or bool(unread))
        starts = read_starts(document.get("start"), drafts, unread, self.problems)
        trigger_reads = [*placed_reads(trigger.when, ("trigger", "when")), *consents.reads]
        wiring = wire(drafts, starts, policy, trigger_reads, scheduled=scheduled)
        self.problems += schedule_uses(wiring, trigger.schedule)
        graph_problems = check_graph(wiring)
        self.problems += similar_fields(fields, wiring, trigger)
        self.problems += independent(graph_problems, self.problems, document["nodes"], drafts, unread, ("nodes",))
        if unread or any(p.code == "H301" for p in graph_problems):
            return None
        if not all(draft.is_complete for draft in drafts.values()):
            return None
        head = Flow(name, version, trigger, (), ())
        return replace(
            head,
            profile=policy,
            consents=consents.names,
            description=str(document.get("description", "")),
            keep=self.keep(document.get("keep")),
            text=text,
            while_waiting=while_waiting,
            **planned(wiring, drafts, head, self.lines),
        )

    def name(self, document: Mapping[str, Any]) -> str:
        name = document.get("flow")
        if name is None:
            help = "begin the file with `flow: the-name`"
            self.problems.add("H102", "a flow needs a name", (), on="key", help=help)
        elif not isinstance(name, str) or not FLOW_NAME.fullmatch(name):
            slug = slug_of(str(name)) if isinstance(name, str | int) else ""
            help = "small letters, digits, - and _" + (f": `flow: {slug}`" if slug and slug != name else "")
            self.problems.add("H104", f"`{name}` is not a flow name", ("flow",), help=help)
        return str(name)

    def policy(self, raw: Any) -> ProfilePolicy:
        if raw in ("required", "optional", "none"):
            policy: ProfilePolicy = raw
            return policy
        help = "required, optional or none"
        self.problems.add("H103", f"`{format_value(raw)}` is not a profile policy", ("profile",), help=help)
        return "optional"

    def scheduled_policy(self, document: Mapping[str, Any], schedule: Schedule) -> ProfilePolicy:
        """The policy of a flow with a schedule: the schedule decides, so the document may say the same only."""
        policy: ProfilePolicy = "required" if schedule.segment else "none"
        if document.get("profile", policy) not in (policy, "optional"):
            who = f"the members of `{schedule.segment}`" if schedule.segment else "no profile"
            help = f"delete this line{'' if schedule.segment else ', or add `for: segment NAME` to the trigger'}"
            self.problems.add("H129", f"a flow with this schedule runs for {who}", ("profile",), help=help)
        return policy

    def while_waiting(
        self, document: Mapping[str, Any], drafts: Mapping[str, NodeDraft], *, uncertain: bool
    ) -> WhileWaiting | None:
        """The word for how a new event changes a run that waits; None in a flow without a node that waits.

        `uncertain`: a node with an error may be meant to wait.
        """
        waiting = next((draft.id for draft in drafts.values() if draft.node.waits), None)
        raw = document.get("while_waiting")
        if waiting is None:
            if "while_waiting" in document and not uncertain:
                message = "no node of this flow waits, so `while_waiting` has no effect"
                self.problems.add("H120", message, ("while_waiting",), on="key", help="delete this line")
        elif "while_waiting" not in document:
            message = f"the flow waits at `{waiting}`, and does not say what a new event does meanwhile"
            self.problems.add(
                "H102", message, ("flow",), on="key", help=f"add `while_waiting: restart`; {_WHILE_WAITING}"
            )
        elif raw in ("restart", "ignore", "parallel"):
            policy: WhileWaiting = raw
            return policy
        else:
            message = f"`{format_value(raw)}` does not say what a new event does to a run that waits"
            self.problems.add("H103", message, ("while_waiting",), help=_WHILE_WAITING)
        return None

    def keep(self, share: Any) -> float | None:
        if share is None:
            return None
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            message = "`keep` is the share of uneventful runs to store, from 0 to 1"
            self.problems.add("H103", message, ("keep",), help="for five percent write `keep: 0.05`")
            return None
        return float(share)


_WHILE_WAITING = (
    "`restart` ends the run that waits and begins another, `ignore` begins none, `parallel` begins another beside it"
)
