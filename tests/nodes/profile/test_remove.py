import msgspec
import pytest

from engine.profile.operations import Remove
from nodes.profile.remove import ProfileRemove
from tests.nodes.build import node_context, stored_profile

TAGS = ("traits", "tags")


@pytest.mark.parametrize(
    ("members", "operations"),
    [
        pytest.param({"traits.tags": "new"}, [Remove(TAGS, "new")], id="one member"),
        pytest.param(
            {"traits.tags": ["b", 2, True]}, [Remove(TAGS, "b"), Remove(TAGS, 2), Remove(TAGS, True)], id="a list"
        ),
        pytest.param({"traits.tags": []}, [], id="an empty list"),
        pytest.param(
            {"traits.tags": "a", "pii.cities": ["Ulm"]},
            [Remove(TAGS, "a"), Remove(("pii", "cities"), "Ulm")],
            id="two sets",
        ),
    ],
)
def test_each_member_is_removed(members, operations):
    outcome = ProfileRemove(members=members).run(node_context(stored_profile()))
    assert (outcome.port, list(outcome.effects)) == ("done", operations)


@pytest.mark.parametrize("member", [None, {}, [["a"]], [None]], ids=repr)
def test_only_texts_numbers_and_booleans_are_members(member):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"members": {"traits.tags": member}}, ProfileRemove)


def test_without_a_profile_it_leaves_by_failed():
    assert ProfileRemove(members={"traits.tags": "new"}).run(node_context()).reason == "no profile"
