"""From a flow's document (plain data) to its plan, with everything that is wrong with it.

Codes: H101 unknown key, H102 missing key, H103 wrong kind of value, H104 bad name, H105 bad node id, H110 no type,
H111 unknown type, H112 two types, H113 unknown field, H114 wrong value, H115 missing field, H116 unknown port,
H117 unknown node, H118 unknown name, H119 bad duration, H120 nothing to wait for, H121 not available yet,
H122 a port beside `next`, H123 one field in place of another, H311 no main port, or nothing comes after it; the other
H3xx are of the graph (`graph.py`).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.flow.config import Config, bad_duration, read_condition, read_config
from engine.flow.consents import UNWANTED, Wanted, read_consents
from engine.flow.graph import Wiring, check_graph, plan_order
from engine.flow.names import ProjectNames
from engine.flow.node import Node, Port, asks, declared_ports, type_name
from engine.flow.note import End
from engine.flow.plan import Flow, PlannedNode, ProfilePolicy, Retry, Trigger
from engine.flow.reading import check_reads
from engine.flow.registry import Registry
from engine.language.duration import read_duration
from engine.language.expression import Condition, Read
from engine.misfit import written
from engine.problem import KeyPath, Problem, did_you_mean

FLOW_KEYS = ("flow", "description", "trigger", "profile", "consents", "start", "nodes", "keep")
TRIGGER_KEYS = ("event", "source", "when", "schedule")
COMMON_KEYS = ("next", "when", "consents", "timeout", "deadline", "retry", "join", "description", "disabled")
NODE_ID = re.compile(r"[a-z][a-z0-9_]*")
FLOW_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
MOST_NODES = 200
MISPLACED_PORT = "H122"
_Reads = list[tuple[KeyPath, Read]]
_EDGE_CODES = ("H103", "H116", "H117", "H311")


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
    reader = _Reader(names, registry, lines)
    flow = reader.flow(document, version, text)
    failed = any(p.severity == "error" for p in reader.problems)
    return (None if failed else flow), reader.problems


@dataclass(slots=True)
class _Draft:
    """A node as read, before it is wired."""

    id: str
    node: type[Node]
    config: Config
    ports: dict[str, Port]
    when: Condition | None
    consents: tuple[str, ...]
    settings: dict[str, Any]
    at: KeyPath
    next: list[tuple[str, str, KeyPath]] = field(default_factory=list)  # port, target, where

    @property
    def guarded(self) -> bool:
        """Whether it may be skipped."""
        return self.when is not None or bool(self.consents) or self.settings["disabled"]


class _Reader:
    def __init__(self, names: ProjectNames, registry: Registry, lines: Callable[[KeyPath], int]) -> None:
        self.names = names
        self.registry = registry
        self.lines = lines
        self.problems: list[Problem] = []

    def say(
        self, code: str, message: str, path: KeyPath, *, on: Literal["key", "value"] = "value", help: str = ""
    ) -> None:
        self.problems.append(Problem(code=code, message=message, path=path, on=on, help=help))

    def flow(self, document: Any, version: str, text: str) -> Flow | None:
        if not isinstance(document, Mapping):
            self.say("H103", "a flow is a map with `flow`, `trigger` and `nodes`", ())
            return None
        self.keys(document, FLOW_KEYS, (), "a flow")
        name = self.name(document)
        trigger = self.trigger(document.get("trigger"))
        policy: Any = document.get("profile", "optional")
        if policy not in ("required", "optional", "none"):
            self.say("H103", f"`{policy}` is not a profile policy", ("profile",), help="required, optional or none")
            policy = "optional"
        consents = self.consents(document, ())
        drafts = self.drafts(document.get("nodes"))
        if not drafts:
            return None
        starts = self.starts(document.get("start"), drafts)
        wiring = self.wiring(drafts, starts, policy, _reads(trigger.when, ("trigger", "when"), consents))
        found = check_graph(wiring)
        if any(map(_of_edges, self.problems)):  # what an edge was meant to lead to is not unreachable as well
            found = [p for p in found if p.code != "H302"]
        self.problems += found
        if any(p.code == "H301" for p in found) or any(d.config.fill is None for d in drafts.values()):
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
            **self.plan(wiring, drafts),
        )

    def keys(self, given: Mapping[Any, Any], known: Iterable[str], at: KeyPath, what: str) -> None:
        for key in given:
            if key not in known:
                self.say("H101", f"{what} has no key `{key}`", (*at, key), on="key", help=did_you_mean(str(key), known))

    def name(self, document: Mapping[str, Any]) -> str:
        name = document.get("flow")
        if name is None:
            self.say("H102", "a flow needs a name", (), on="key", help="begin the file with `flow: the-name`")
        elif not isinstance(name, str) or not FLOW_NAME.fullmatch(name):
            self.say("H104", f"`{name}` is not a flow name", ("flow",), help="small letters, digits, - and _")
        return str(name)

    def keep(self, share: Any) -> float | None:
        if share is None:
            return None
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
            self.say("H103", "`keep` is the share of uneventful runs to store, from 0 to 1", ("keep",))
            return None
        return float(share)

    # ---- trigger ----------------------------------------------------------------------------------------------------

    def trigger(self, raw: Any) -> Trigger:
        if raw is None:
            self.say(
                "H102",
                "a flow needs a trigger",
                (),
                on="key",
                help="add `trigger: {event: order-paid}`, names or globs",
            )
            return Trigger()
        if not isinstance(raw, Mapping):
            self.say("H103", "a trigger is a map with `event`, `source`, `when`", ("trigger",))
            return Trigger()
        self.keys(raw, TRIGGER_KEYS, ("trigger",), "a trigger")
        if "schedule" in raw:
            self.say("H121", "schedules are not available yet", ("trigger", "schedule"), on="key")
        when = None
        if "when" in raw:
            when = read_condition(raw["when"], ("trigger", "when"), self.problems)
            reads = _reads(when, ("trigger", "when"))
            self.problems += check_reads(reads, self.names)
            if any(read.path[0] == "nodes" for _, read in reads):
                self.say("H304", "no node has run when a trigger is decided", ("trigger", "when"))
        sources = self.words(raw, "source", ("trigger", "source"))
        for source, at in _each(raw.get("source", []), ("trigger", "source")):
            if isinstance(source, str) and not set(source) & {"*", "?"}:
                problem = self.names.problem("source", source)
                self.problems += [problem.below(at)] if problem else []
        return Trigger(self.words(raw, "event", ("trigger", "event")), sources, when)

    def words(self, raw: Mapping[str, Any], key: str, at: KeyPath) -> tuple[str, ...]:
        if key not in raw:
            return ()
        words = _each(raw[key], at)
        for word, where in words or [(None, at)]:
            if not isinstance(word, str) or not word:
                self.say("H103", f"`{key}` is a name or a list of names", where)
        return tuple(str(word) for word, _ in words)

    # ---- nodes ------------------------------------------------------------------------------------------------------

    def drafts(self, raw: Any) -> dict[str, _Draft]:
        if not isinstance(raw, Mapping) or not raw:
            self.say("H102", "a flow needs `nodes`, a map from node id to node", ("nodes",) if raw is not None else ())
            return {}
        if len(raw) > MOST_NODES:
            self.say("H103", f"a flow has at most {MOST_NODES} nodes; this one has {len(raw)}", ("nodes",), on="key")
            return {}
        drafts = {}
        for id, given in raw.items():
            draft = self.draft(str(id), given)
            if draft is not None:
                drafts[draft.id] = draft
        if len(drafts) < len(raw):  # edges to the broken ones would be reported as unknown nodes
            return {}
        for draft, given in zip(drafts.values(), raw.values(), strict=True):
            self.edges(draft, given.get("next"), drafts)
        return drafts

    def draft(self, id: str, raw: Any) -> _Draft | None:
        at: KeyPath = ("nodes", id)
        if not NODE_ID.fullmatch(id):
            fixed = re.sub(r"[^a-z0-9_]", "_", id.lower()).lstrip("_")
            fixed = f"n{fixed}" if fixed[:1].isdigit() else fixed
            why = "; in an expression a hyphen is a minus" if "-" in id else ""
            self.say("H105", f"`{id}` is not a node id{why}", at, on="key", help=f"write `{fixed or 'node'}`")
        if not isinstance(raw, Mapping):
            self.say("H103", f"node `{id}` is a map such as `segment.add: vip`", at)
            return None
        node, key = self.type_of(id, raw, at)
        if node is None:
            return None
        config = read_config(node, raw[key], self.names, (*at, key))
        self.problems += config.problems
        ports = _ports(node, raw[key])
        when = None
        if "when" in raw:
            when = read_condition(raw["when"], (*at, "when"), self.problems)
            self.problems += check_reads(_reads(when, (*at, "when")), self.names)
        consents = self.consents(raw, at)
        config.reads += _reads(when, (*at, "when"), consents)
        return _Draft(id, node, config, ports, when, consents.names, self.settings(node, raw, at), at)

    def consents(self, raw: Mapping[str, Any], at: KeyPath) -> Wanted:
        if "consents" not in raw:
            return UNWANTED
        return read_consents(raw["consents"], (*at, "consents"), self.names, self.problems)

    def type_of(self, id: str, raw: Mapping[str, Any], at: KeyPath) -> tuple[type[Node] | None, str]:
        types = [str(key) for key in raw if key not in COMMON_KEYS]
        if not types:
            self.say("H110", f"node `{id}` has no type", at, on="key", help="add one key such as `profile.set: {…}`")
            return None, ""
        known = [key for key in types if self.registry.find(key)]
        if len(types) > 1 and len(known) != 1:
            also = " and ".join(f"`{t}`" for t in types)
            self.say("H112", f"node `{id}` has two types: {also}", (*at, types[1]), on="key", help="one node, one type")
            return None, ""
        ports = _ports(self.registry.find(known[0]), raw[known[0]]) if known else {}
        misplaced = [key for key in types if key in ports]
        if misplaced:
            edges = ", ".join(f"{key}: {written(raw[key])}" for key in misplaced)
            said = f"`{misplaced[0]}` is a port of `{known[0]}`, not a key of a node"
            self.say(MISPLACED_PORT, said, (*at, misplaced[0]), on="key", help=f"write `next: {{{edges}}}`")
        for key in types:
            if key not in known and key not in misplaced:
                near = did_you_mean(key, [*self.registry.names(), *(COMMON_KEYS if known else ())])
                said = f"a node has no key `{key}`" if known else f"unknown node type `{key}`"
                help = near or "`headrace nodes` lists the types"
                self.say("H101" if known else "H111", said, (*at, key), on="key", help=help)
        return (self.registry.find(known[0]), known[0]) if known else (None, "")

    def settings(self, node: type[Node], raw: Mapping[str, Any], at: KeyPath) -> dict[str, Any]:
        settings: dict[str, Any] = {"disabled": raw.get("disabled", False), "join": raw.get("join", "settled")}
        if not isinstance(settings["disabled"], bool):
            self.say("H103", "`disabled` is true or false", (*at, "disabled"))
        if settings["join"] not in ("settled", "any", "all"):
            self.say("H103", f"`{settings['join']}` is not a join", (*at, "join"), help="settled, any or all")
        for key in ("timeout", "deadline", "retry"):
            if key in raw and not asks(node):
                said = f"`{type_name(node)}` waits for nothing, so `{key}` means nothing here"
                self.say("H120", said, (*at, key), on="key")
        for key in ("timeout", "deadline"):
            if key in raw:
                settings[f"{key}_ms"] = self.duration(raw[key], (*at, key))
        if "retry" in raw:
            settings["retry"] = self.retry(raw["retry"], (*at, "retry"))
        settings["description"] = str(raw.get("description", ""))
        return settings

    def duration(self, raw: Any, at: KeyPath) -> int:
        ms = read_duration(raw)
        if ms == 0:
            self.say("H119", "it has to be longer than nothing", at)
        elif ms is None:
            self.problems.append(bad_duration(raw, at))
        return ms or 0

    def retry(self, raw: Any, at: KeyPath) -> Retry:
        if not isinstance(raw, Mapping):
            self.say("H103", "`retry` is a map", at, help="write `retry: {times: 3, backoff: 500ms}`")
            return Retry()
        self.keys(raw, ("times", "backoff"), at, "`retry`")
        times = raw.get("times", 1)
        if isinstance(times, bool) or not isinstance(times, int) or not 0 <= times <= 10:
            self.say("H103", "`times` is a whole number from 0 to 10", (*at, "times"))
            times = 0
        return Retry(times, self.duration(raw["backoff"], (*at, "backoff")) if "backoff" in raw else 500)

    # ---- edges ------------------------------------------------------------------------------------------------------

    def edges(self, draft: _Draft, raw: Any, drafts: Mapping[str, _Draft]) -> None:
        at: KeyPath = (*draft.at, "next")
        if raw is None:
            return
        if isinstance(raw, Mapping):
            for port, targets in raw.items():
                if port not in draft.ports:
                    message = f"`{draft.id}` ({type_name(draft.node)}) has no port `{port}`"
                    self.say("H116", message, (*at, port), on="key", help=did_you_mean(str(port), draft.ports))
                elif isinstance(draft.ports[port], End):
                    message = f"`{type_name(draft.node)}` ends the run: nothing comes after it"
                    self.say("H311", message, (*at, port), on="key", help=f"drop `{port}`")
                self.targets(draft, str(port), targets, (*at, port), drafts)
            return
        main = [port.name for port in draft.ports.values() if port.main]
        if not main:
            self.no_main(draft, at)
        for port in main:
            self.targets(draft, port, raw, at, drafts)

    def no_main(self, draft: _Draft, at: KeyPath) -> None:
        ways = [p.name for p in draft.ports.values() if not isinstance(p, End) and p.name not in ("failed", "skipped")]
        type = type_name(draft.node)
        if any(isinstance(port, End) for port in draft.ports.values()):
            self.say("H311", f"`{type}` ends the run: nothing comes after it", at, help="drop `next`")
            return
        ways = ways or ["failed"]
        help = f"write `next: {{{', '.join(f'{port}: …' for port in ways)}}}`"
        self.say("H311", f"`{type}` has no main port: say by which one", at, help=help)

    def targets(self, draft: _Draft, port: str, raw: Any, at: KeyPath, drafts: Mapping[str, _Draft]) -> None:
        for target, where in _each(raw, at):
            if not isinstance(target, str):
                self.say("H103", "an edge leads to a node id, or to a list of them", where)
            elif target not in drafts:
                known = [id for id in drafts if id != draft.id]
                self.say("H117", f"there is no node `{target}`", where, help=did_you_mean(target, known))
            elif (port, target) not in [(known, id) for known, id, _ in draft.next]:
                draft.next.append((port, target, where))

    def starts(self, raw: Any, drafts: Mapping[str, _Draft]) -> tuple[str, ...]:
        if raw is None:
            return (next(iter(drafts)),)
        found: dict[str, None] = {}
        for id, where in _each(raw, ("start",)):
            if isinstance(id, str) and id in drafts:
                found[id] = None
            else:
                self.say("H117", f"there is no node `{id}`", where, help=did_you_mean(str(id), drafts))
        if raw == []:
            self.say("H103", "a run starts somewhere: `start` names at least one node", ("start",))
        return tuple(found) or (next(iter(drafts)),)

    # ---- plan -------------------------------------------------------------------------------------------------------

    def wiring(
        self, drafts: Mapping[str, _Draft], starts: tuple[str, ...], policy: ProfilePolicy, before: _Reads
    ) -> Wiring:
        return Wiring(
            nodes={id: d.node for id, d in drafts.items()},
            ports={id: d.ports for id, d in drafts.items()},
            edges=[(id, port, target, at) for id, d in drafts.items() for port, target, at in d.next],
            starts=starts,
            reads={id: d.config.reads for id, d in drafts.items()},
            writes={id: d.config.writes for id, d in drafts.items()},
            joins={id: d.settings["join"] for id, d in drafts.items()},
            guarded=frozenset(id for id, d in drafts.items() if d.guarded),
            places={id: d.at for id, d in drafts.items()},
            profile=policy,
            trigger_reads=before,
        )

    def plan(self, wiring: Wiring, drafts: Mapping[str, _Draft]) -> dict[str, Any]:
        order = plan_order(wiring)
        index = {id: i for i, id in enumerate(order)}
        nodes = []
        for id in order:
            draft = drafts[id]
            outs: dict[str, tuple[int, ...]] = {}
            for port, target, _ in draft.next:
                outs[port] = (*outs.get(port, ()), index[target])
            ins: dict[int, set[str]] = {}
            for source, port, _, _ in wiring.into(id):
                ins.setdefault(index[source], set()).add(port)
            assert draft.config.fill is not None  # noqa: S101  # a flow with errors is not planned
            nodes.append(
                PlannedNode(
                    index=index[id],
                    id=id,
                    node=draft.node,
                    fill=draft.config.fill,
                    ports=draft.ports,
                    asks=asks(draft.node),
                    fatal=frozenset(p.name for p in draft.ports.values() if p.failure and p.name not in outs),
                    starts=id in wiring.starts,
                    makes_ids=draft.node.makes_ids,
                    guarded=draft.guarded,
                    ins=tuple((source, frozenset(ins[source])) for source in sorted(ins)),
                    outs=outs,
                    when=draft.when,
                    consents=draft.consents,
                    line=self.lines(draft.at),
                    **draft.settings,
                )
            )
        return {"nodes": tuple(nodes), "starts": tuple(sorted(index[id] for id in wiring.starts)), "indexes": index}


def _ports(node: type[Node] | None, config: Any) -> dict[str, Port]:
    if node is None:
        return {}
    return {**declared_ports(node), **node.own_ports(config if isinstance(config, Mapping) else {})}


def _reads(when: Condition | None, at: KeyPath, consents: Wanted = UNWANTED) -> _Reads:
    """What is read before a node or a flow runs: by its condition, which stands at `at`, and for its consents."""
    return [*((at, read) for read in (when.reads if when else ())), *consents.reads]


def _of_edges(problem: Problem) -> bool:
    """Whether this is about an edge that now leads nowhere: it, or a port beside `next`, is written wrong."""
    return (problem.code in _EDGE_CODES and problem.path[2:3] == ("next",)) or problem.code == MISPLACED_PORT


def _each(raw: Any, at: KeyPath) -> list[tuple[Any, KeyPath]]:
    """The items of a list, or the one value that stands in place of a list; each with its place."""
    return [(item, (*at, i)) for i, item in enumerate(raw)] if isinstance(raw, list) else [(raw, at)]
