import pytest

from engine.profile.operations import Set
from nodes.profile.set import ProfileSet
from tests.nodes.build import node_context, stored_profile


@pytest.mark.parametrize(
    ("values", "operations"),
    [
        pytest.param({"traits.tier": "gold"}, [Set(("traits", "tier"), "gold")], id="a value"),
        pytest.param(
            {"pii.email": "a@x.de", "consents.news": True},
            [Set(("pii", "email"), "a@x.de"), Set(("consents", "news"), True)],
            id="several values in the order of the file",
        ),
        pytest.param({"traits.cart": {"n": [1]}}, [Set(("traits", "cart"), {"n": [1]})], id="an object as a whole"),
        pytest.param({"traits.tier": None}, [Set(("traits", "tier"), None)], id="null"),
        pytest.param({"traits['a.b'].c": 1}, [Set(("traits", "a.b", "c"), 1)], id="a name with a dot"),
    ],
)
def test_each_path_is_set(values, operations):
    outcome = ProfileSet(values=values).run(node_context(stored_profile()))
    assert (outcome.port, list(outcome.effects)) == ("done", operations)


def test_without_a_profile_it_leaves_by_failed():
    outcome = ProfileSet(values={"traits.tier": "gold"}).run(node_context())
    assert (outcome.port, outcome.reason, outcome.effects) == ("failed", "no profile", ())
