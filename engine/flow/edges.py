"""The edges of a flow (`next:`) and its start nodes (`start:`): read from its document, and checked."""

from collections.abc import Mapping
from typing import Any

from engine.flow.node import End, type_name
from engine.flow.node_draft import MISPLACED_PORT, NodeDraft
from engine.flow.problem_list import ProblemList, as_list
from engine.problem import KeyPath, Problem, did_you_mean

_CODES = ("H103", "H116", "H117", "H311")
_ENDS = frozenset({"end", "END", "exit", "finish", "done", "stop"})  # targets that an author means as the end of a flow


def read_edges(draft: NodeDraft, raw: Any, drafts: Mapping[str, NodeDraft], problems: ProblemList) -> None:
    """Add the edges of a node's `next:`, which is `raw`, to its draft. Adds its errors to `problems`."""
    at: KeyPath = (*draft.at, "next")
    if raw is None:
        return
    if isinstance(raw, Mapping):
        for port, targets in raw.items():
            _check_port(draft, port, (*at, port), problems)
            _add_targets(draft, str(port), as_list(targets, (*at, port)), drafts, problems)
        return
    main = [port.name for port in draft.ports.values() if port.main]
    if not main:
        _add_no_main_port(draft, at, problems)
    for port in main:
        _add_targets(draft, port, as_list(raw, at), drafts, problems)


def read_starts(raw: Any, drafts: Mapping[str, NodeDraft], problems: ProblemList) -> tuple[str, ...]:
    """The ids of the nodes that `start:` names, else of the first node. Adds its errors to `problems`."""
    if raw is None:
        return (next(iter(drafts)),)
    starts: dict[str, None] = {}
    for id, where in as_list(raw, ("start",)):
        if isinstance(id, str) and id in drafts:
            starts[id] = None
        else:
            problems.add("H117", f"there is no node `{id}`", where, help=did_you_mean(str(id), drafts))
    if raw == []:
        problems.add("H103", "`start` names no node, and a run needs one to start at", ("start",))
    return tuple(starts) or (next(iter(drafts)),)


def is_edge_problem(problem: Problem) -> bool:
    """Whether the problem is an error in an edge, or a port beside `next`: then the graph lacks an edge."""
    return (problem.code in _CODES and problem.path[2:3] == ("next",)) or problem.code == MISPLACED_PORT


def _check_port(draft: NodeDraft, port: Any, at: KeyPath, problems: ProblemList) -> None:
    if port not in draft.ports:
        message = f"`{draft.id}` ({type_name(draft.node)}) has no port `{port}`"
        problems.add("H116", message, at, on="key", help=did_you_mean(str(port), draft.ports))
    elif isinstance(draft.ports[port], End):
        message = f"`{type_name(draft.node)}` ends the run: nothing comes after it"
        problems.add("H311", message, at, on="key", help=f"drop `{port}`")


def _add_no_main_port(draft: NodeDraft, at: KeyPath, problems: ProblemList) -> None:
    type = type_name(draft.node)
    if any(isinstance(port, End) for port in draft.ports.values()):
        problems.add("H311", f"`{type}` ends the run: nothing comes after it", at, help="drop `next`")
        return
    own_ports = [name for name in draft.ports if name not in ("failed", "skipped")] or ["failed"]
    help = f"write `next: {{{', '.join(f'{port}: …' for port in own_ports)}}}`"
    problems.add("H311", f"`{type}` has no main port: name the port", at, help=help)


def _add_targets(
    draft: NodeDraft,
    port: str,
    raw: list[tuple[Any, KeyPath]],
    drafts: Mapping[str, NodeDraft],
    problems: ProblemList,
) -> None:
    for target, where in raw:
        if not isinstance(target, str):
            problems.add("H103", "an edge leads to a node id, or to a list of them", where)
        elif target not in drafts:
            known = [id for id in drafts if id != draft.id]
            ends = f"a flow ends where no `next` follows: leave `{target}` out"
            help = ends if target in _ENDS else did_you_mean(target, known)
            problems.add("H117", f"there is no node `{target}`", where, help=help)
        elif (port, target) not in [(known, id) for known, id, _ in draft.next]:
            draft.next.append((port, target, where))
