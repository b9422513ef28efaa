import pytest

from engine.profile.operations import Append
from nodes.profile.append import ProfileAppend
from tests.nodes.build import node_context, stored_profile


@pytest.mark.parametrize(
    ("values", "operations"),
    [
        pytest.param({"traits.log": "in"}, [Append(("traits", "log"), "in")], id="a text"),
        pytest.param({"traits.log": {"n": 1}}, [Append(("traits", "log"), {"n": 1})], id="an object is one element"),
        pytest.param({"traits.log": [1, 2]}, [Append(("traits", "log"), [1, 2])], id="a list is one element"),
        pytest.param(
            {"traits.a": 1, "traits.b": 2},
            [Append(("traits", "a"), 1), Append(("traits", "b"), 2)],
            id="several lists",
        ),
    ],
)
def test_each_value_is_appended(values, operations):
    outcome = ProfileAppend(values=values).run(node_context(stored_profile()))
    assert (outcome.port, list(outcome.effects)) == ("done", operations)


def test_without_a_profile_it_leaves_by_failed():
    assert ProfileAppend(values={"traits.log": 1}).run(node_context()).reason == "no profile"
