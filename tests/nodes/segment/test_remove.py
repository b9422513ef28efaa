import pytest

from engine.profile.operations import Remove
from nodes.segment.remove import SegmentRemove
from tests.nodes.build import person, seen

SEGMENTS = ("segments",)


@pytest.mark.parametrize(
    ("segments", "operations"),
    [
        pytest.param("vip", [Remove(SEGMENTS, "vip")], id="one segment"),
        pytest.param(("vip", "news"), [Remove(SEGMENTS, "vip"), Remove(SEGMENTS, "news")], id="a list"),
    ],
)
def test_the_profile_is_removed(segments, operations):
    outcome = SegmentRemove(segments=segments).run(seen(person()))
    assert (outcome.port, list(outcome.effects)) == ("done", operations)


def test_a_run_without_a_profile_leaves_by_failed():
    assert SegmentRemove(segments="vip").run(seen()).reason == "no profile"
