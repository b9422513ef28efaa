"""From drafts to a plan: the wiring of a flow's nodes, and the planned nodes in plan order."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from engine.flow.graph import InnerNode, Wiring, plan_order
from engine.flow.node import asks
from engine.flow.node_draft import BodyDraft, NodeDraft
from engine.flow.plan import Body, Flow, PlannedNode, ProfilePolicy
from engine.language.expression import Read
from engine.language.tree import draws
from engine.problem import KeyPath


def wire(
    drafts: Mapping[str, NodeDraft],
    starts: tuple[str, ...],
    policy: ProfilePolicy,
    trigger_reads: list[tuple[KeyPath, Read]],
    *,
    scheduled: bool = False,
    around: frozenset[str] = frozenset(),
) -> Wiring:
    """The graph of these nodes."""
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
        outputs={id: d.output for id, d in drafts.items()},
        trigger_reads=trigger_reads,
        scheduled=scheduled,
        profile_needs={id: d.config.profile_needs for id, d in drafts.items()},
        around=around,
        inner={
            inner: each for id, d in drafts.items() if d.body is not None for inner, each in _inner_nodes(id, d.body)
        },
    )


def _inner_nodes(loop: str, body: BodyDraft) -> Iterator[tuple[str, InnerNode]]:
    for _, node, place in body.wiring.places_of_types:
        yield str(place[-1]), InnerNode(loop, node, place)


def planned(
    wiring: Wiring, drafts: Mapping[str, NodeDraft], head: Flow, lines: Callable[[KeyPath], int]
) -> dict[str, Any]:
    """The fields of `Flow` about its nodes. The flow has no errors; `head` has its name, version and trigger."""
    index = {id: i for i, id in enumerate(plan_order(wiring))}
    nodes = tuple([_planned_node(draft, wiring, index, head, lines) for draft in map(drafts.__getitem__, index)])
    inner = {id: node for loop in nodes if loop.body is not None for id, node in loop.body.flow.all_nodes.items()}
    return {
        "nodes": nodes,
        "starts": tuple(sorted(index[id] for id in wiring.starts)),
        "indexes": index,
        "all_nodes": {**{node.id: node for node in nodes}, **inner},
        "has_loops": bool(inner),
    }


def _planned_body(body: BodyDraft, head: Flow, lines: Callable[[KeyPath], int]) -> Body:
    flow = replace(head, **planned(body.wiring, body.drafts, head, lines))
    nodes = flow.all_nodes.values()
    collect = () if body.collect is None else body.collect.reads
    return Body(
        flow,
        body.collect,
        reads_profile=any(read.path[0] == "profile" for _, read in collect) or any(n.reads_profile for n in nodes),
        identifies=any(node.node.identifies for node in nodes),
        makes_ids=any(node.makes_ids for node in nodes),
    )


def _planned_node(
    draft: NodeDraft, wiring: Wiring, index: Mapping[str, int], head: Flow, lines: Callable[[KeyPath], int]
) -> PlannedNode:
    outs: dict[str, tuple[int, ...]] = {}
    for port, target, _ in draft.next:
        outs[port] = (*outs.get(port, ()), index[target])
    ins: dict[int, set[str]] = {}
    for source, port, _, _ in wiring.into(draft.id):
        ins.setdefault(index[source], set()).add(port)
    assert draft.config.template is not None  # noqa: S101  # a flow with errors is not planned
    return PlannedNode(
        index=index[draft.id],
        id=draft.id,
        node=draft.node,
        template=draft.config.template,
        ports=draft.ports,
        asks=asks(draft.node),
        fatal=frozenset(p.name for p in draft.ports.values() if p.failure and p.name not in outs),
        starts=draft.id in wiring.starts,
        makes_ids=draft.node.makes_ids,
        draws=any(draws(use.tree) for _, use in draft.config.uses),
        guarded=draft.guarded,
        ins=tuple((source, frozenset(ins[source])) for source in sorted(ins)),
        outs=outs,
        when=draft.when,
        consents=draft.consents,
        line=lines(draft.at),
        body=_planned_body(draft.body, head, lines) if draft.body is not None else None,
        **draft.settings,
    )
