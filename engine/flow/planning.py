"""From drafts to a plan: the wiring of a flow's nodes, and the planned nodes in plan order."""

from collections.abc import Callable, Mapping
from typing import Any

from engine.flow.graph import Wiring, plan_order
from engine.flow.node import asks
from engine.flow.node_draft import NodeDraft
from engine.flow.plan import PlannedNode, ProfilePolicy
from engine.language.expression import Read
from engine.language.tree import draws
from engine.problem import KeyPath


def wire(
    drafts: Mapping[str, NodeDraft],
    starts: tuple[str, ...],
    policy: ProfilePolicy,
    trigger_reads: list[tuple[KeyPath, Read]],
    scheduled: bool = False,
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
    )


def planned(wiring: Wiring, drafts: Mapping[str, NodeDraft], lines: Callable[[KeyPath], int]) -> dict[str, Any]:
    """The fields `nodes`, `starts` and `indexes` of `Flow`. The flow has no errors."""
    index = {id: i for i, id in enumerate(plan_order(wiring))}
    return {
        "nodes": tuple(_planned_node(draft, wiring, index, lines) for draft in map(drafts.__getitem__, index)),
        "starts": tuple(sorted(index[id] for id in wiring.starts)),
        "indexes": index,
    }


def _planned_node(
    draft: NodeDraft, wiring: Wiring, index: Mapping[str, int], lines: Callable[[KeyPath], int]
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
        **draft.settings,
    )
