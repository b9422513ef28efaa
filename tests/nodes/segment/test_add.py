import pytest

from engine.profile.operations import Add
from nodes.segment.add import SegmentAdd
from tests.nodes.build import person, seen

SEGMENTS = ("segments",)


@pytest.mark.parametrize(
    ("segments", "operations"),
    [
        pytest.param("vip", [Add(SEGMENTS, "vip")], id="one segment"),
        pytest.param(("vip", "news"), [Add(SEGMENTS, "vip"), Add(SEGMENTS, "news")], id="a list"),
    ],
)
def test_the_profile_is_added(segments, operations):
    outcome = SegmentAdd(segments=segments).run(seen(person()))
    assert (outcome.port, list(outcome.effects)) == ("done", operations)


def test_a_run_without_a_profile_leaves_by_failed():
    assert SegmentAdd(segments="vip").run(seen()).reason == "no profile"
