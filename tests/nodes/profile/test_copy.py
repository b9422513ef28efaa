import msgspec
import pytest

from engine.profile.operations import Set
from nodes.profile.copy import ProfileCopy
from tests.nodes.build import node_context, stored_profile


@pytest.mark.parametrize(("objects", "operations"), [
    pytest.param({"traits": {"city": "Oslo", "n": 1}}, [Set(("traits", "city"), "Oslo"), Set(("traits", "n"), 1)],
                 id="below a root"),
    pytest.param({"traits.form": {"city": "Oslo"}}, [Set(("traits", "form", "city"), "Oslo")], id="below a path"),
    pytest.param({"pii": {"address": {"city": "Oslo", "zip": None}}}, [Set(("pii", "address", "city"), "Oslo")],
                 id="an object in the object"),
    pytest.param({"traits": {"tags": ["a", None], "gone": None}}, [Set(("traits", "tags"), ["a", None])],
                 id="a list as a whole, and null"),
    pytest.param({"traits": {"a.b": 1, "": 2}}, [Set(("traits", "a.b"), 1), Set(("traits", ""), 2)], id="any names"),
    pytest.param({"traits": {}, "pii": {"empty": {}}}, [], id="nothing"),
])  # fmt: skip
def test_each_member_is_set(objects, operations):
    outcome = ProfileCopy(objects=objects).run(node_context(stored_profile()))
    assert (outcome.port, list(outcome.effects)) == ("done", operations)


@pytest.mark.parametrize("value", ["text", 5, ["a"], None])
def test_what_is_no_object_cannot_be_copied(value):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"objects": {"traits": value}}, ProfileCopy)


def test_without_a_profile_it_leaves_by_failed():
    outcome = ProfileCopy(objects={"traits": {"tier": "gold"}}).run(node_context())
    assert (outcome.port, outcome.reason, outcome.effects) == ("failed", "no profile", ())
