"""The edges of a flow (`next:`) and its start nodes (`start:`): read from its document, and checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.flow.node import End, type_name
from engine.flow.node_draft import MISPLACED_PORT, NodeDraft
from engine.flow.problem_list import ProblemList, as_list
from engine.flow.reshaped import BELOW_TYPE
from engine.problem import KeyPath, Problem, did_you_mean

_CODES = ("H103", "H116", "H117", "H311")
_SEPARATOR = re.compile(r"\s*(?:,|;|&|->|=>|→)\s*|\s+")
_SUCCESS = frozenset({"success", "ok", "main", "next", "on_success", "succeeded", "200"})
_PORT_NAMES = {
    "failed": ("error", "failure", "fail", "on_error", "on_failure", "catch", "timeout", "exception"),
    "then": ("true", "yes", "1", "match", "matched"),
    "else": ("false", "no", "0", "otherwise", "default", "unmatched"),
    "missing": ("not_found", "notfound", "404", "empty", "none"),
    "default": ("else", "otherwise", "other"),
}
# Targets that an author means as the end of a flow.
_ENDS = frozenset({"end", "exit", "finish", "done", "stop", "null", "none", "return"})


@dataclass(frozen=True, slots=True)
class Ends:
    """The nodes of a map that edges may lead to, and the remedies for edges to nodes outside of it.

    Edges to the nodes `unread`, which have errors, are correct, but they are left out.
    """

    drafts: Mapping[str, NodeDraft]
    unread: frozenset[str]
    outside: Mapping[str, str]  # the remedy by the id of a node in another map of the flow


def read_edges(draft: NodeDraft, raw: Any, ends: Ends, problems: ProblemList) -> None:
    """Add the edges of a node's `next:`, which is `raw`, to its draft. Adds its errors to `problems`."""
    at: KeyPath = (*draft.at, "next")
    if raw is None:
        return
    if isinstance(raw, Mapping):
        for port, targets in raw.items():
            _check_port(draft, port, (*at, port), problems)
            _add_targets(draft, str(port), as_list(targets, (*at, port)), ends, problems)
        return
    main = [port.name for port in draft.ports.values() if port.main]
    if not main:
        _add_no_main_port(draft, at, problems)
    for port in main:
        _add_targets(draft, port, as_list(raw, at), ends, problems)


def check_targets(id: str, node: Any, place: KeyPath, ends: Ends, problems: ProblemList) -> None:
    """Add the problems of the targets in the `next:` of a node at `place` that could not be read."""
    raw = node.get("next") if isinstance(node, Mapping) else None
    at: KeyPath = (*place, "next")
    ports = [(value, (*at, port)) for port, value in raw.items()] if isinstance(raw, Mapping) else [(raw, at)]
    for value, where in ports if raw is not None else ():
        for target, target_at in as_list(value, where):
            _check_target(id, target, target_at, ends, problems)


def read_starts(
    raw: Any, drafts: Mapping[str, NodeDraft], unread: frozenset[str], problems: ProblemList
) -> tuple[str, ...]:
    """The ids of the nodes that `start:` names, else of the first node. Adds its errors to `problems`."""
    if raw is None:
        return (next(iter(drafts)),)
    starts: dict[str, None] = {}
    for id, where in as_list(raw, ("start",)):
        if isinstance(id, str) and id in drafts:
            starts[id] = None
        elif not isinstance(id, str) or id not in unread:
            problems.add("H117", f"there is no node `{id}`", where, help=did_you_mean(str(id), drafts))
    if raw == []:
        problems.add("H103", "`start` names no node, and a run needs one to start at", ("start",))
    return tuple(starts) or (next(iter(drafts)),)


def edge_targets(node: Any) -> list[str]:
    """The ids in the `next:` of a node as it is written."""
    raw = node.get("next") if isinstance(node, Mapping) else None
    targets = [as_list(value, ()) for value in (raw.values() if isinstance(raw, Mapping) else [raw])]
    return [target for values in targets for target, _ in values if isinstance(target, str)]


def is_edge_problem(problem: Problem, at: KeyPath) -> bool:
    """Whether the problem is an error in an edge, or in the place of one: then edges may be missing or change.

    `at` is the key path of the map of nodes.
    """
    depth = len(at) + 1
    misplaced = problem.code == MISPLACED_PORT or (problem.code == BELOW_TYPE and problem.path[-1] == "next")
    return misplaced or (problem.code in _CODES and problem.path[depth : depth + 1] == ("next",))


def _check_port(draft: NodeDraft, port: Any, at: KeyPath, problems: ProblemList) -> None:
    if port not in draft.ports:
        message = f"`{draft.id}` ({type_name(draft.node)}) has no port `{port}`"
        problems.add("H116", message, at, on="key", help=_port_help(str(port), draft))
    elif isinstance(draft.ports[port], End):
        message = f"`{type_name(draft.node)}` ends the run: nothing comes after it"
        problems.add("H311", message, at, on="key", help=f"drop `{port}`")


def _port_help(port: str, draft: NodeDraft) -> str:
    """The port that other tools call `port`, else one of a similar name."""
    meanings = {name: own for own, names in _PORT_NAMES.items() for name in names if own in draft.ports}
    main = [name for name, own in draft.ports.items() if own.main]
    if port.lower() in _SUCCESS and main:
        return f"write `{main[0]}`"
    if port.lower() in ("elif", "elseif", "else_if") and "else" in draft.ports:
        return "lead from `else` to another `if`, or write one `switch` with several cases"
    own = meanings.get(port.lower())
    return f"write `{own}`" if own else did_you_mean(port, draft.ports)


def _add_no_main_port(draft: NodeDraft, at: KeyPath, problems: ProblemList) -> None:
    type = type_name(draft.node)
    if any(isinstance(port, End) for port in draft.ports.values()):
        problems.add("H311", f"`{type}` ends the run: nothing comes after it", at, help="drop `next`")
        return
    own_ports = [name for name in draft.ports if name not in ("failed", "skipped")] or ["failed"]
    help = f"write `next: {{{', '.join(f'{port}: …' for port in own_ports)}}}`"
    problems.add("H311", f"`{type}` has no main port: name the port", at, help=help)


def _add_targets(
    draft: NodeDraft, port: str, raw: list[tuple[Any, KeyPath]], ends: Ends, problems: ProblemList
) -> None:
    for target, where in raw:
        known = _check_target(draft.id, target, where, ends, problems)
        if known and (port, target) not in [(own, id) for own, id, _ in draft.next]:
            draft.next.append((port, target, where))


def _check_target(id: str, target: Any, where: KeyPath, ends: Ends, problems: ProblemList) -> bool:
    """Whether an edge can be drawn from node `id` to `target`. Adds the problem of a target that is no node."""
    if not isinstance(target, str):
        help = "write the id alone: `next: other_node`; or `next: {PORT: other_node}`"
        problems.add("H103", "an edge leads to a node id, or to a list of them", where, help=help)
    elif target in ends.outside:
        problems.add("H117", f"no edge can lead from `{id}` to `{target}`", where, help=ends.outside[target])
    elif target not in ends.drafts and target not in ends.unread:
        known = [other for other in (*ends.drafts, *ends.unread) if other != id]
        help = did_you_mean(target, known)
        several = [word.strip() for word in _SEPARATOR.split(target)]
        if len(several) > 1 and all(word in known for word in several):
            help = f"write `next: [{', '.join(several)}]`"
            if ">" in target:
                help = f"write `next: {several[0]}` here, and `next: {several[1]}` in `{several[0]}`"
        elif "{{" in target:
            help = "an edge is fixed: choose between nodes with `if` or `switch`"
        elif target.lower() in _ENDS:
            remedy = "delete this line" if where[-1] == "next" else f"leave `{target}` out"
            help = f"a flow ends where no `next` follows: {remedy}"
        problems.add("H117", f"there is no node `{target}`", where, help=help)
    return isinstance(target, str) and target in ends.drafts
