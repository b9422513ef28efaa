import pytest

from engine.profile.operations import Remove
from nodes.segment.remove import SegmentRemove
from tests.nodes.build import node_context, stored_profile

SEGMENTS = ("segments",)


@pytest.mark.parametrize(
    ("segments", "operations"),
    [
        pytest.param("vip", [Remove(SEGMENTS, "vip")], id="one segment"),
        pytest.param(("vip", "news"), [Remove(SEGMENTS, "vip"), Remove(SEGMENTS, "news")], id="a list"),
    ],
)
def test_the_profile_is_removed_from_each_segment(segments, operations):
    outcome = SegmentRemove(segments=segments).run(node_context(stored_profile()))
    assert (outcome.port, list(outcome.effects)) == ("done", operations)


def test_without_a_profile_it_leaves_by_failed():
    assert SegmentRemove(segments="vip").run(node_context()).reason == "no profile"
