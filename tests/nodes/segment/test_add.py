import pytest

from engine.profile.operations import Add
from nodes.segment.add import SegmentAdd
from tests.nodes.build import node_context, stored_profile

SEGMENTS = ("segments",)


@pytest.mark.parametrize(
    ("segments", "operations"),
    [
        pytest.param("vip", [Add(SEGMENTS, "vip")], id="one segment"),
        pytest.param(("vip", "news"), [Add(SEGMENTS, "vip"), Add(SEGMENTS, "news")], id="a list"),
    ],
)
def test_the_profile_is_added_to_each_segment(segments, operations):
    outcome = SegmentAdd(segments=segments).run(node_context(stored_profile()))
    assert (outcome.port, list(outcome.effects)) == ("done", operations)


def test_without_a_profile_it_leaves_by_failed():
    assert SegmentAdd(segments="vip").run(node_context()).reason == "no profile"
