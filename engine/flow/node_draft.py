"""Node drafts: the nodes of a flow as read from its document, before they are wired and planned."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.flow.condition import placed_reads, read_when
from engine.flow.config import Config, read_config
from engine.flow.config_problem import bad_duration
from engine.flow.consents import NO_CONSENTS, read_consents
from engine.flow.graph import Wiring
from engine.flow.loop_node import is_loop
from engine.flow.names import ProjectNames
from engine.flow.node import LONGEST_WAIT_MS, Node, Port, asks, declared_ports, type_name
from engine.flow.plan import Retry
from engine.flow.problem_list import ProblemList
from engine.flow.registry import Registry, node_fields
from engine.flow.workarounds import NODE_KEY_WORKAROUNDS, NODE_WORKAROUNDS, RETRY_WORKAROUNDS
from engine.language.duration import read_duration
from engine.language.expression import Condition, Expression
from engine.language.kinds import Shape
from engine.language.value import Value
from engine.problem import KeyPath, did_you_mean
from engine.validation_message import format_value

COMMON_KEYS = ("next", "when", "consents", "timeout", "deadline", "retry", "join", "description", "disabled")
NODE_ID = re.compile(r"[a-z][a-z0-9_]*")
MISPLACED_PORT = "H122"

_WORD = re.compile(r"[a-z]+")


@dataclass(slots=True)
class BodyDraft:
    """The body of a loop as read. `item` is what is known of its items; `at` is the place of what it collects."""

    drafts: "dict[str, NodeDraft]"
    wiring: Wiring
    collect: Value | None
    item: Shape
    at: KeyPath

    @property
    def uses(self) -> list[tuple[KeyPath, Condition | Expression]]:
        """The expressions of the value that is collected in each turn, each with its key path."""
        expressions = () if self.collect is None else self.collect.expressions
        return [((*self.at, *below), expression) for below, expression in expressions]


@dataclass(slots=True)
class NodeDraft:
    """A node as read from the document. `next` is filled once all nodes of the flow are read."""

    id: str
    node: type[Node]
    config: Config
    ports: dict[str, Port]
    when: Condition | None
    consents: tuple[str, ...]
    settings: dict[str, Any]
    at: KeyPath
    output: Shape
    next: list[tuple[str, str, KeyPath]] = field(default_factory=list)  # port, target, key path of the edge
    body: BodyDraft | None = None  # of a loop, unless it has errors

    @property
    def is_complete(self) -> bool:
        """Whether its config, and of a loop the body, have been read without errors."""
        return self.config.template is not None and (self.body is not None or not is_loop(self.node))

    @property
    def guarded(self) -> bool:
        """Whether the node may be skipped."""
        return self.when is not None or bool(self.consents) or self.settings["disabled"]


class NodeDraftReader:
    """Reads nodes of the map at the key path `at`, one at a time, and adds their errors to `problems`."""

    def __init__(self, names: ProjectNames, registry: Registry, problems: ProblemList, at: KeyPath) -> None:
        self._names = names
        self._registry = registry
        self._problems = problems
        self._at = at

    def read(self, id: str, raw: Any) -> NodeDraft | None:
        """The draft of the node `raw`; None when its type cannot be determined."""
        at: KeyPath = (*self._at, id)
        if not NODE_ID.fullmatch(id):
            self._add_bad_id(id, at)
        if not isinstance(raw, Mapping):
            self._add_no_map(id, raw, at)
            return None
        node, key = self._type(id, raw, at)
        if node is None:
            read_when(raw, at, self._names, self._problems)
            return None
        if (bug := _bug_in_type(node, raw[key])) is not None:
            self._problems.add("H136", f"a bug in `{key}`, which cannot take this config: {bug!r}", (*at, key))
            return None
        config = read_config(node, raw[key], self._names, (*at, key))
        self._problems += config.problems
        if config.problems and "own_ports" in vars(node) and not _has_own_ports(raw[key]):
            read_when(raw, at, self._names, self._problems)
            return None
        when = read_when(raw, at, self._names, self._problems)
        consents = NO_CONSENTS
        if "consents" in raw:
            consents = read_consents(raw["consents"], (*at, "consents"), self._names, self._problems)
        config.reads += [*placed_reads(when, (*at, "when")), *consents.reads]
        config.uses += [((*at, "when"), when)] if when is not None else []
        settings = self._settings(node, raw, at)
        output = node.own_output(raw[key])
        return NodeDraft(id, node, config, _ports(node, raw[key]), when, consents.names, settings, at, output)

    def _add_no_map(self, id: str, raw: Any, at: KeyPath) -> None:
        """The problem of a node that is empty, a list, or a text."""
        if raw is None:
            help = "write its type below it, e.g. `segment.add: vip`, indented by two spaces more"
            self._problems.add("H110", f"node `{id}` is empty", at, on="key", help=help)
            return
        help = "write its type as a key, e.g. `segment.add: vip`"
        if isinstance(raw, list):
            help = "a node has one type: make each item a node of its own, and lead from one to the next by `next: …`"
        elif isinstance(raw, str):
            type, _, rest = raw.partition(" ")
            rest = rest.strip("\"' ")
            near = self._registry.find(type) and type
            help = f"put a colon behind the type: `{near}: {rest or '…'}`" if near else help
        self._problems.add("H103", f"node `{id}` is {_kind(raw)}, not a map with a type", at, help=help)

    def _add_bad_id(self, id: str, at: KeyPath) -> None:
        fixed = re.sub(r"[^a-z0-9_]", "_", id.lower()).lstrip("_")
        fixed = f"n{fixed}" if fixed[:1].isdigit() else fixed
        reason = "; in an expression a hyphen is a minus" if "-" in id else ""
        help = f"write `{fixed or 'node'}`"
        self._problems.add("H105", f"`{id}` is not a node id{reason}", at, on="key", help=help)

    def _type(self, id: str, raw: Mapping[str, Any], at: KeyPath) -> tuple[type[Node] | None, str]:
        types = [str(key) for key in raw if key not in COMMON_KEYS]
        if not types:
            help = "add one key such as `profile.set: {…}`"
            self._problems.add("H110", f"node `{id}` has no type", at, on="key", help=help)
            return None, ""
        known = [key for key in types if self._registry.find(key)]
        habit = next((key for key in types if key in NODE_WORKAROUNDS), None)
        if not known and habit is not None:
            self._add_unknown_key(habit, False, at)
            return None, ""
        if len(types) > 1 and len(known) != 1:
            message = f"node `{id}` has two types: {' and '.join(f'`{t}`' for t in types)}"
            help = f"move `{types[1]}` into a node of its own and lead to it: `next: …`"
            self._problems.add("H112", message, (*at, types[1]), on="key", help=help)
            return None, ""
        ports = _ports(self._registry.find(known[0]), raw[known[0]]) if known else {}
        misplaced = [key for key in types if key in ports]
        if misplaced:
            edges = format_value({**written_edges(raw.get("next"), ports), **{key: raw[key] for key in misplaced}})
            message = f"`{misplaced[0]}` is a port of `{known[0]}`, not a key of a node"
            help = f"write `next: {edges}`"
            self._problems.add(MISPLACED_PORT, message, (*at, misplaced[0]), on="key", help=help)
        fields = _field_names(self._registry.find(known[0])) if known else []
        for key in types:
            if key in fields:
                message, help = (
                    f"`{key}` is a field of `{known[0]}`, not a key of a node",
                    f"write it below `{known[0]}`",
                )
                self._problems.add("H101", message, (*at, key), on="key", help=help)
            elif key not in known and key not in misplaced:
                self._add_unknown_key(key, bool(known), at)
        return (self._registry.find(known[0]), known[0]) if known else (None, "")

    def _add_unknown_key(self, key: str, typed: bool, at: KeyPath) -> None:
        near = did_you_mean(key, [*self._registry.names(), *(COMMON_KEYS if typed else ())])
        message = f"a node has no key `{key}`" if typed else f"unknown node type `{key}`"
        workaround = (NODE_KEY_WORKAROUNDS if typed else NODE_WORKAROUNDS).get(key)
        other = f"known here: {', '.join(f'`{name}`' for name in COMMON_KEYS)}" if typed else ""
        if not typed and key in self._registry.missing:
            near = f"it is in {self._registry.missing[key]}, which could not be loaded"
        help = workaround or near or other or _suggest_types(key, self._registry.names())
        self._problems.add("H101" if typed else "H111", message, (*at, key), on="key", help=help)

    def _settings(self, node: type[Node], raw: Mapping[str, Any], at: KeyPath) -> dict[str, Any]:
        add = self._problems.add
        settings: dict[str, Any] = {"disabled": raw.get("disabled", False), "join": raw.get("join", "settled")}
        if not isinstance(settings["disabled"], bool):
            help = "write `disabled: true`, or delete this line"
            add("H103", "`disabled` is true or false", (*at, "disabled"), help=help)
        if settings["join"] not in ("settled", "any", "all"):
            add("H103", f"`{settings['join']}` is not a join", (*at, "join"), help="settled, any or all")
        for key in ("timeout", "deadline", "retry"):
            if key in raw and not (_times_out(node) and key == "timeout" if node.waits else asks(node)):
                waits_for = "is not answered by a target" if node.waits else "waits for nothing"
                message = f"`{type_name(node)}` {waits_for}, so `{key}` has no effect here"
                add("H120", message, (*at, key), on="key", help="delete this line")
        if _times_out(node):
            self._check_timeout(node, raw, at)
        for key in ("timeout", "deadline"):
            if key in raw:
                settings[f"{key}_ms"] = self._duration(raw[key], (*at, key))
        if "retry" in raw:
            settings["retry"] = self._retry(raw["retry"], (*at, "retry"))
        settings["description"] = str(raw.get("description", ""))
        return settings

    def _check_timeout(self, node: type[Node], raw: Mapping[str, Any], at: KeyPath) -> None:
        """Check that a node that waits for an event says how long."""
        if "timeout" not in raw:
            help = "write how long it waits, beside its type: `timeout: 2h`"
            self._problems.add("H115", f"`{type_name(node)}` needs `timeout`", at, on="key", help=help)
        elif (read_duration(raw["timeout"]) or 0) > LONGEST_WAIT_MS:
            message = f"a run waits at most {LONGEST_WAIT_MS // 86_400_000} days"
            self._problems.add("H114", message, (*at, "timeout"))

    def _duration(self, raw: Any, at: KeyPath) -> int:
        ms = read_duration(raw)
        if ms == 0:
            self._problems.add("H119", "the duration must be longer than 0", at)
        elif ms is None:
            self._problems.append(bad_duration(raw, at))
        return ms or 0

    def _retry(self, raw: Any, at: KeyPath) -> Retry:
        if not isinstance(raw, Mapping):
            self._problems.add("H103", "`retry` is a map", at, help="write `retry: {times: 3, backoff: 500ms}`")
            return Retry()
        self._problems.add_unknown_keys(raw, ("times", "backoff"), at, "`retry`", RETRY_WORKAROUNDS)
        times = raw.get("times", 1)
        if isinstance(times, bool) or not isinstance(times, int) or not 0 <= times <= 10:
            self._problems.add("H103", "`times` is a whole number from 0 to 10", (*at, "times"))
            times = 0
        return Retry(times, self._duration(raw["backoff"], (*at, "backoff")) if "backoff" in raw else 500)


def written_edges(raw: Any, ports: Mapping[str, Port]) -> dict[str, Any]:
    """The edges of a `next` by port: a plain one leads from the main ports."""
    if raw is None or isinstance(raw, Mapping):
        return dict(raw or {})
    return {name: raw for name, port in ports.items() if port.main}


def _times_out(node: type[Node]) -> bool:
    """Whether nodes of this type wait for something that may not come: their `timeout` is required."""
    return node.waits and "timeout" in declared_ports(node)


def _kind(raw: Any) -> str:
    return "a list" if isinstance(raw, list) else "a text" if isinstance(raw, str) else "a number or a truth value"


def _suggest_types(key: str, types: Iterable[str]) -> str:
    """The help for an unknown type: up to five types that share a word with `key`, and the command that lists all."""
    words = set(_WORD.findall(key.lower()))
    similar = [f"`{type}`" for type in sorted(types) if words & set(_WORD.findall(type))]
    command = "`headrace nodes` lists the types"
    return f"perhaps {' or '.join(similar)}; {command}" if 0 < len(similar) <= 5 else command


def _field_names(node: type[Node] | None) -> list[str]:
    return [] if node is None else [info.encode_name for info in node_fields(node)]


def _has_own_ports(config: Any) -> bool:
    """Whether the config of a type such as `switch` says which ports the node has."""
    return (
        isinstance(config, Mapping)
        and bool(config)
        and all(isinstance(case, str | bool | int | float | Mapping) for case in config.values())
    )


def _ports(node: type[Node] | None, config: Any) -> dict[str, Port]:
    if node is None or _bug_in_type(node, config) is not None:
        return {}
    return {**declared_ports(node), **node.own_ports(config if isinstance(config, Mapping) else {})}


def _bug_in_type(node: type[Node], config: Any) -> Exception | None:
    """Return what a type raises when it is asked for the ports and the output of a node, or None."""
    try:
        node.own_ports(config if isinstance(config, Mapping) else {})
        node.own_output(config)
    except Exception as bug:  # noqa: BLE001  # the boundary to the code of node types: a bug there ends only this flow
        return bug
    return None
