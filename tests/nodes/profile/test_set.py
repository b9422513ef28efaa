import pytest

from engine.profile.operations import Set
from nodes.profile.set import ProfileSet
from tests.engine.flow.build import flow, ports, run
from tests.engine.flow.build import stored_profile as profile_with
from tests.engine.flow.build import traits as traits_of
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


def test_values_that_are_null_are_left_out_where_absent_ones_are_skipped():
    node = ProfileSet(values={"traits.city": "Oslo", "traits.name": None}, absent="skip")
    outcome = node.run(node_context(stored_profile()))
    assert (outcome.port, list(outcome.effects)) == ("done", [Set(("traits", "city"), "Oslo")])


FORM = """\
a:
  profile.set:
    values: {traits.city: "{{ event.properties.city }}", traits.name: "{{ event.properties.name }}"}
    absent: %s
"""


@pytest.mark.parametrize(("absent", "properties", "traits"), [
    pytest.param("skip", {"city": "Oslo"}, {"city": "Oslo", "name": "Ann"}, id="one is there"),
    pytest.param("skip", {"city": "Oslo", "name": None}, {"city": "Oslo", "name": "Ann"}, id="one is null"),
    pytest.param("skip", {}, {"name": "Ann"}, id="none is there"),
    pytest.param("fail", {"city": "Oslo"}, {"name": "Ann"}, id="absent values make it fail"),
])  # fmt: skip
def test_some_of_several_fields_are_written_and_the_others_stay(absent, properties, traits):
    profile = profile_with("p-ann", {"traits.name": "Ann"})
    machine = run(flow(FORM % absent), properties, profile=profile)
    assert ports(machine)["a"] == ("done" if absent == "skip" else "failed")
    assert traits_of(machine) == traits


def test_without_a_profile_it_leaves_by_failed():
    outcome = ProfileSet(values={"traits.tier": "gold"}).run(node_context())
    assert (outcome.port, outcome.reason, outcome.effects) == ("failed", "no profile", ())
