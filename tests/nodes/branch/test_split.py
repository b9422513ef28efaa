from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from engine.flow.node import NodeContext
from nodes.branch.split import Split
from tests.nodes.build import node_context, stored_profile

SHARES = st.lists(st.integers(0, 1000), min_size=1, max_size=6).filter(any)


def context(id: str = "p-ann", place: str = "test.button") -> NodeContext:
    return structs.replace(node_context(stored_profile(id)), place=place)


def variants(shares: dict[str, int], name: str = "red-button", profiles: int = 20_000) -> list[str]:
    node = Split(into=shares, name=name)
    return [node.run(context(f"p-{i}")).port for i in range(profiles)]


def test_each_variant_gets_its_share():
    counts = Counter(variants({"red": 50, "grey": 30, "blue": 20, "none": 0}))
    assert counts.keys() == {"red", "grey", "blue"}
    assert all(abs(counts[name] - 200 * share) < 400 for name, share in {"red": 50, "grey": 30, "blue": 20}.items())


def test_the_variant_is_the_port_and_the_output():
    outcome = Split(into={"red": 1}).run(context())
    assert (outcome.port, outcome.out) == ("red", {"variant": "red"})


def test_a_profile_always_gets_the_same_variant():
    shares = {"red": 50, "grey": 50}
    assert variants(shares, profiles=50) == variants(shares, profiles=50)
    first = [Split(into=shares, name="red-button").run(context(f"p-{i}")).port for i in range(8)]
    assert first == ["red", "red", "grey", "grey", "grey", "grey", "red", "grey"]  # also in later versions


def test_experiments_of_other_names_and_places_divide_independently():
    shares = {"a": 1, "b": 1}
    both = Counter(zip(variants(shares, "one"), variants(shares, "two"), strict=True))
    assert all(abs(count - 5_000) < 300 for count in both.values())
    node = Split(into=shares)
    placed = [[node.run(context(f"p-{i}", place)).port for i in range(200)] for place in ("f.a", "f.b")]
    assert placed[0] != placed[1]


@given(SHARES, st.integers(0, 5), st.data())
def test_a_variant_whose_share_is_taken_from_the_one_before_it_moves_no_others(shares, at, data):
    at %= len(shares)
    taken = data.draw(st.integers(0, shares[at]))
    before = {f"v{i}": share for i, share in enumerate(shares)}
    after = {}
    for name, share in before.items():
        after[name] = share - taken if name == f"v{at}" else share
        if name == f"v{at}":
            after["new"] = taken
    for old, new in zip(variants(before, profiles=40), variants(after, profiles=40), strict=True):
        assert new == old or (old, new) == (f"v{at}", "new")


def test_another_value_may_decide():
    node = Split(into={"a": 1, "b": 1}, name="x", by="o-1")
    assert {node.run(context(f"p-{i}")).port for i in range(50)} == {node.run(node_context()).port}


def test_without_a_profile_and_a_value_it_leaves_by_failed():
    outcome = Split(into={"a": 1}).run(node_context())
    assert (outcome.port, "by" in outcome.reason) == ("failed", True)


@pytest.mark.parametrize("shares", [{"a": 0}, {"a": 1_000_000, "b": 1}])
def test_shares_that_cannot_be_divided_are_an_error(shares):
    (problem,) = Split.own_problems({"into": shares})
    assert (problem.code, problem.path) == ("H114", ("into",))


@pytest.mark.parametrize("config", [
    {}, {"failed": 1}, {"by": 1}, {"into": 1}, {"name": 1}, {"Red": 1}, {"a": -1}, {"a": 1.5}, {"a": "1"},
])  # fmt: skip
def test_shares_are_whole_numbers_by_name_of_a_port(config):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"into": config}, Split)


@pytest.mark.parametrize("config", [{"red": 1, "grey": 2}, {"into": {"red": 1, "grey": 2}, "name": "x"}])
def test_every_variant_is_a_port_and_a_word_of_the_output(config):
    assert list(Split.own_ports(config)) == ["red", "grey"]
    assert Split.own_output(config).fields["variant"].words == ("red", "grey")
