import pytest

from engine.profile.operations import Append
from nodes.profile.append import ProfileAppend
from tests.nodes.build import person, seen


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
def test_each_value_becomes_the_last_element(values, operations):
    outcome = ProfileAppend(values=values).run(seen(person()))
    assert (outcome.port, list(outcome.effects)) == ("done", operations)


def test_a_run_without_a_profile_leaves_by_failed():
    assert ProfileAppend(values={"traits.log": 1}).run(seen()).reason == "no profile"
