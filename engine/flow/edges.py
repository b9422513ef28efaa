"""Reading edges: where a run starts, and what comes after a node."""

from collections.abc import Mapping
from typing import Any

from engine.flow.node import End, type_name
from engine.flow.node_draft import MISPLACED_PORT, NodeDraft
from engine.flow.problem_list import ProblemList, as_list
from engine.problem import KeyPath, Problem, did_you_mean

_CODES = ("H103", "H116", "H117", "H311")


def read_edges(draft: NodeDraft, raw: Any, drafts: Mapping[str, NodeDraft], complaints: ProblemList) -> None:
    """Add to a draft what its `next:` says; complains about what is wrong with it."""
    at: KeyPath = (*draft.at, "next")
    if raw is None:
        return
    if isinstance(raw, Mapping):
        for port, targets in raw.items():
            _check_port(draft, port, (*at, port), complaints)
            _add_targets(draft, str(port), as_list(targets, (*at, port)), drafts, complaints)
        return
    main = [port.name for port in draft.ports.values() if port.main]
    if not main:
        _no_main(draft, at, complaints)
    for port in main:
        _add_targets(draft, port, as_list(raw, at), drafts, complaints)


def read_starts(raw: Any, drafts: Mapping[str, NodeDraft], complaints: ProblemList) -> tuple[str, ...]:
    """The nodes that `start:` names, else the first; complains about what is wrong with it."""
    if raw is None:
        return (next(iter(drafts)),)
    found: dict[str, None] = {}
    for id, where in as_list(raw, ("start",)):
        if isinstance(id, str) and id in drafts:
            found[id] = None
        else:
            complaints.add("H117", f"there is no node `{id}`", where, help=did_you_mean(str(id), drafts))
    if raw == []:
        complaints.add("H103", "a run starts somewhere: `start` names at least one node", ("start",))
    return tuple(found) or (next(iter(drafts)),)


def about_edge(problem: Problem) -> bool:
    """Whether this is about an edge that now leads nowhere: it, or a port beside `next`, is written wrong."""
    return (problem.code in _CODES and problem.path[2:3] == ("next",)) or problem.code == MISPLACED_PORT


def _check_port(draft: NodeDraft, port: Any, at: KeyPath, complaints: ProblemList) -> None:
    if port not in draft.ports:
        message = f"`{draft.id}` ({type_name(draft.node)}) has no port `{port}`"
        complaints.add("H116", message, at, on="key", help=did_you_mean(str(port), draft.ports))
    elif isinstance(draft.ports[port], End):
        message = f"`{type_name(draft.node)}` ends the run: nothing comes after it"
        complaints.add("H311", message, at, on="key", help=f"drop `{port}`")


def _no_main(draft: NodeDraft, at: KeyPath, complaints: ProblemList) -> None:
    type = type_name(draft.node)
    if any(isinstance(port, End) for port in draft.ports.values()):
        complaints.add("H311", f"`{type}` ends the run: nothing comes after it", at, help="drop `next`")
        return
    ways = [name for name in draft.ports if name not in ("failed", "skipped")] or ["failed"]
    help = f"write `next: {{{', '.join(f'{port}: …' for port in ways)}}}`"
    complaints.add("H311", f"`{type}` has no main port: say by which one", at, help=help)


def _add_targets(
    draft: NodeDraft,
    port: str,
    raw: list[tuple[Any, KeyPath]],
    drafts: Mapping[str, NodeDraft],
    complaints: ProblemList,
) -> None:
    for target, where in raw:
        if not isinstance(target, str):
            complaints.add("H103", "an edge leads to a node id, or to a list of them", where)
        elif target not in drafts:
            known = [id for id in drafts if id != draft.id]
            complaints.add("H117", f"there is no node `{target}`", where, help=did_you_mean(target, known))
        elif (port, target) not in [(known, id) for known, id, _ in draft.next]:
            draft.next.append((port, target, where))
