"""Random flows (acyclic, of simple nodes with any ports, joins and guards), and scenarios in which they run."""

from collections.abc import Callable
from random import Random
from typing import Any
from zlib import crc32

from hypothesis import strategies as st
from msgspec import Struct

from engine.flow.ask import HttpAsk, ProfileReply, Reply
from engine.flow.machine import Machine
from engine.flow.plan import Flow
from engine.flow.run import Inputs, IssuedAsk
from tests.engine.flow.build import answer, compiled, inputs, no_answer, stored_profile
from tests.engine.flow.node_types import TYPES

MAX_NODES = 8  # without the last one
PORT_NAMES = ("done", "left", "right", "failed")
JOINS = ("settled", "settled", "all", "any")
MARKS = "{{ profile.traits.marks | default(0) }}"
BO = stored_profile("p-bo", {"traits.city": "Oslo"})

# By kind: the config of the node with an index. A mark is a power of two, so a sum of marks identifies its nodes.
KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "way": lambda i: {"test.way": f"{{{{ event.properties.way{i} }}}}"},
    "ask": lambda i: {"test.ask": f"/{i}", "retry": {"times": i % 3, "backoff": "10ms"}},
    "pages": lambda i: {"test.pages": f"/{i}"},
    "mark": lambda i: {"profile.increment": {"traits.marks": 2**i}},
    "see": lambda i: {"let": {"marks": MARKS}},
    "look": lambda i: {"let": {"profile": "{{ profile }}", "event": "{{ event }}"}},
    "append": lambda i: {"profile.append": {"traits.order": i}},
    "segment": lambda i: {"segment.add": "vip"},
    "copy": lambda i: {"profile.set": {"traits.copy": "{{ profile.segments }}"}},
    "event": lambda i: {"event.set": {f"properties.done.n{i}": True}},
    "merge": lambda i: {"profile.merge": {"pii.email": "bo@example.com"}},
    "refused": lambda i: {"profile.increment": {"traits.name": 1}},
    "absent": lambda i: {"log": "{{ event.properties.nowhere }}"},
    "emit": lambda i: {"event.emit": {"type": f"child-{i}"}},
    "stop": lambda i: {"stop": "enough"},
}
PORTS = {"way": PORT_NAMES, "ask": PORT_NAMES, "pages": ("done", "failed"), "merge": ("merged", "unchanged", "failed")}


class Scenario(Struct, frozen=True):
    """The random part of a run: its inputs, and the reply to each ask, which depends on `salt`."""

    inputs: Inputs
    salt: int

    def reply(self, asked: IssuedAsk) -> Reply:
        """The reply to an ask; always the same for the same ask."""
        chance = crc32(f"{self.salt} {asked.id} {asked.number} {asked.attempt}".encode())
        replies: list[Reply] = [no_answer(), no_answer(retriable=False)]
        if not isinstance(asked.ask, HttpAsk):
            replies += [ProfileReply(BO, "p-bo"), ProfileReply(BO, "p-bo"), ProfileReply(None)]
        elif asked.id.endswith("pages"):
            replies += [
                answer({"next": "/more" if more and asked.number < 5 else None}) for more in (True, True, False)
            ]
        else:
            replies += [answer("left"), answer("right"), answer()]
        return replies[chance % len(replies)]


@st.composite
def flows(draw: st.DrawFn, joins: tuple[str, ...] = JOINS, *, may_end_early: bool = True) -> Flow:
    """Any flow. Unless it may end early, every `failed` is wired and there is no `stop`."""
    kinds = st.sampled_from(sorted(KINDS) if may_end_early else sorted(KINDS.keys() - {"stop"}))
    drawn = [draw(st.sampled_from(sorted(PORTS)) | kinds) for _ in range(draw(st.integers(1, MAX_NODES)))]
    ids = [f"n{i}_{kind}" for i, kind in enumerate(drawn)]
    nodes: dict[str, Any] = {}
    for i, (id, kind) in enumerate(zip(ids, drawn, strict=True)):
        guard = {"when": f"event.properties.when{i}"} if draw(st.integers(0, 3)) == 0 else {}
        wired = {
            port: draw(
                st.lists(st.sampled_from([*ids[i + 1 :], "end"]), min_size=port != "failed", max_size=3, unique=True)
            )
            for port in (
                *(("failed",) if kind == "stop" else PORTS.get(kind, ("done", "failed"))),
                *(("skipped",) if guard else ()),
            )
        }
        if not may_end_early:
            wired["failed"] = wired["failed"] or ["end"]
        nodes[id] = {**KINDS[kind](i), **guard, "join": draw(st.sampled_from(joins)), "next": wired}
    nodes["end"] = {"let": {"marks": MARKS}, "join": draw(st.sampled_from(joins))}
    return _without_errors({"flow": "any", "trigger": {"event": "paid"}, "start": ["end"], "nodes": nodes})


def _without_errors(document: dict[str, Any]) -> Flow:
    """The flow without its errors: an unreachable node becomes a start, an impossible `join: all` becomes `settled`."""
    while True:
        flow, problems = compiled(document, TYPES)
        errors = [problem for problem in problems if problem.severity == "error"]
        for problem in errors:
            id = str(problem.path[1])
            if problem.code == "H302":
                document["start"].append(id)
            else:
                assert problem.code == "H310", problem
                document["nodes"][id]["join"] = "settled"
        if flow is not None:
            return flow


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Any scenario."""
    properties = {f"way{i}": draw(st.sampled_from(PORT_NAMES[:3])) for i in range(MAX_NODES)}
    properties |= {f"when{i}": draw(st.booleans()) for i in range(MAX_NODES)}
    ann = stored_profile("p-ann", {"traits.name": "Ann"}) if draw(st.integers(0, 3)) else None
    return Scenario(inputs(properties, ann), draw(st.integers(0, 2**32)))


def drive_in_order(machine: Machine, scenario: Scenario, order: Random) -> Machine:
    """The machine, driven to its end by the replies of the scenario, in a random order."""
    waiting = machine.advance()
    while waiting and not machine.over:
        asked = waiting.pop(order.randrange(len(waiting)))
        machine.reply(asked.node, scenario.reply(asked))
        waiting += machine.advance()
    return machine
