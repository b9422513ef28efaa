import pytest

from engine.profile.operations import Unset
from nodes.profile.unset import ProfileUnset
from tests.nodes.build import node_context, stored_profile


@pytest.mark.parametrize(
    ("paths", "operations"),
    [
        pytest.param("traits.cart", [Unset(("traits", "cart"))], id="one path"),
        pytest.param(
            ("pii.email", "pii.phone"), [Unset(("pii", "email")), Unset(("pii", "phone"))], id="several paths"
        ),
        pytest.param("traits['a.b']", [Unset(("traits", "a.b"))], id="a name with a dot"),
    ],
)
def test_the_value_at_each_path_is_removed(paths, operations):
    outcome = ProfileUnset(paths=paths).run(node_context(stored_profile()))
    assert (outcome.port, list(outcome.effects)) == ("done", operations)


@pytest.mark.parametrize("path", ["traits..cart", "traits", "segments", "segments.vip", "id", "metadata.version"])
def test_a_path_that_cannot_be_removed_leaves_by_failed(path):
    outcome = ProfileUnset(paths=("pii.email", path)).run(node_context(stored_profile()))
    assert (outcome.port, outcome.effects) == ("failed", ())
    assert outcome.reason


def test_without_a_profile_it_leaves_by_failed():
    assert ProfileUnset(paths="traits.cart").run(node_context()).reason == "no profile"
