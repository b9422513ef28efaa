"""Pictures of flows: every flow can be drawn, and the same flow always alike."""

import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings

import nodes
from api.picture.layout import END, MAX_NODES, Picture, TooManyNodes, picture
from api.picture.svg import svg
from api.picture.taken import taken
from api.picture.text import dot, mermaid
from engine.flow.plan import Flow
from flows.project import load_project
from tests.engine.flow.build import flow as built
from tests.engine.flow.random_flows import flows

ROOT = Path(__file__).parents[3]
STARTER = load_project(ROOT / "flows" / "starter", nodes.builtin(), {}).project
FLOWS = {flow.name: flow for flow in STARTER.flows}


def overlaps(drawn: Picture) -> list[tuple[str, str]]:
    boxes = [(n.id, n.x - n.width / 2, n.y - n.height / 2, n.x + n.width / 2, n.y + n.height / 2) for n in drawn.nodes]
    return [
        (one[0], two[0])
        for one, two in combinations(boxes, 2)
        if one[1] < two[3] and two[1] < one[3] and one[2] < two[4] and two[2] < one[4]
    ]


@pytest.mark.parametrize("name", sorted(FLOWS))
def test_a_flow_of_the_starter_is_drawn_with_all_its_nodes(name: str) -> None:
    drawn = picture(FLOWS[name])
    assert len(drawn.nodes) >= len(FLOWS[name].nodes)
    assert overlaps(drawn) == []
    assert ET.fromstring(svg(drawn, standalone=True)) is not None  # noqa: S314  # our own text
    for node in FLOWS[name].nodes:
        assert node.id in svg(drawn)
        assert node.id in mermaid(drawn)
        assert node.id in dot(drawn)


def chain(length: int) -> Flow:
    nodes = {f"n{i}": {"profile.set": {f"traits.n{i}": 1}, "next": f"n{i + 1}"} for i in range(length)}
    del nodes[f"n{length - 1}"]["next"]
    return built({"flow": "long", "trigger": {"event": "paid"}, "nodes": nodes})


def test_a_flow_with_too_many_nodes_is_refused_with_the_limit() -> None:
    with pytest.raises(TooManyNodes, match=f"at most {MAX_NODES}"):
        picture(chain(MAX_NODES + 1))


def test_the_path_of_a_failed_run_ends_in_a_mark() -> None:
    trace = {
        "outcome": "failed",
        "failed_at": "remember",
        "steps": [{"node": "filled", "port": "then"}, {"node": "remember", "port": "failed", "from": ["filled"]}],
    }
    drawn = svg(picture(FLOWS["cart"], ("remember", "failed")), taken(trace))
    assert drawn.count("g-end") == 2  # the mark and its cross
    assert re.search(r'class="g-n bad"', drawn)
    assert re.search(r'class="g-n dry"', drawn)
    assert END not in drawn


def test_hostile_names_are_text_in_every_format() -> None:
    name = '"><script>alert(1)</script>'
    drawn = picture(FLOWS["cart"])
    hostile = Picture(
        flow=name,
        version="1",
        nodes=tuple([type(n)(name, name, 1, n.x, n.y, n.width, n.height) for n in drawn.nodes]),
        edges=tuple([type(e)(name, name, (name,), e.points, e.label) for e in drawn.edges]),
        left=0,
        top=0,
        width=10,
        height=10,
    )
    assert "<script" not in svg(hostile, standalone=True)
    assert ET.fromstring(svg(hostile, standalone=True)) is not None  # noqa: S314  # our own text
    assert "<script" not in mermaid(hostile)
    assert '">' not in dot(hostile).replace('\\">', "")


@given(flow=flows())
@settings(max_examples=60)
def test_every_valid_flow_can_be_drawn_without_overlaps_and_always_alike(flow: Flow) -> None:
    drawn = picture(flow)
    assert overlaps(drawn) == []
    assert {edge.source for edge in drawn.edges} <= {node.id for node in drawn.nodes}
    assert svg(picture(flow)) == svg(drawn)
