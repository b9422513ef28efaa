"""A link records how it was made, both sides, and the values that no longer show."""

from typing import Any

import pytest
from msgspec.structs import replace

from engine.profile.apply import apply_operations
from engine.profile.clash import MAX_CLASHES, MAX_VALUE_LENGTH
from engine.profile.document import Clash, LinkOrigin, Members, Part, Profile, Side, new_profile
from engine.profile.fold import fold
from engine.profile.grouping import regroup
from engine.profile.link_history import MAX_NAMED, Cause, ProfileState, origin
from engine.profile.linking import Pool, link_id, new_link, undo
from engine.profile.operations import Increment, Operation, Set

CAUSE = Cause(at=50, event="e-1", type="login", flow="who", node="merge")


def person(id: str, created: int, *ops: Operation) -> Profile:
    profile, _ = apply_operations(new_profile(id, created), id, ops, created)
    return profile


def traits(**values: Any) -> list[Operation]:
    return [Set(("traits", name), value) for name, value in values.items()]


def origin_of(own: Profile, other: Profile | None, cause: Cause = CAUSE) -> LinkOrigin:
    """Return the origin of a link by which `own`, the profile of the unit, is joined with another one."""
    documents = [own] if other is None else [own, other]
    pool = Pool.of(*documents)
    for document in documents:
        pool = pool.with_link(new_link(document.id, "proof", "k"))
    after = regroup(pool, documents, own.id).of(own.id)
    states = [ProfileState(document, fold(document)) for document in documents]
    return origin(cause, own.id, states[0], None if other is None else states[1], ProfileState(after, fold(after)))


def clashes(own: Profile, other: Profile) -> list[Clash]:
    return list(origin_of(own, other).clashes)


def test_a_link_records_its_event_its_flow_and_both_sides() -> None:
    found = origin_of(person("b", 20), person("a", 10))
    assert (found.at, found.event, found.type, found.flow, found.node) == (50, "e-1", "login", "who", "merge")
    assert (found.acting, found.won) == ("b", "a")
    assert (found.left, found.right, found.clashes) == (Side(("b",)), Side(("a",)), ())


def test_a_link_that_joins_nobody_has_no_sides() -> None:
    found = origin_of(person("b", 20, *traits(x="u")), None)
    assert (found.acting, found.won, found.left, found.right, found.clashes) == ("b", "b", None, None, ())


def test_a_side_with_many_ids_lists_some_and_counts_the_others() -> None:
    many = person("a", 1)
    parts = {f"a-{turn}": Part(f"a-{turn}", created=10 + turn) for turn in range(8)}
    found = origin_of(person("z", 90), replace(many, parts={**many.parts, **parts}))
    assert found.right is not None
    assert (found.right.ids[0], len(found.right.ids), found.right.more) == ("a", MAX_NAMED, 9 - MAX_NAMED)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(
            {"x": "u"}, {"x": "v"}, [Clash("traits.x", "right", '"u"', '"v"')], id="two texts, the newer shows"
        ),
        pytest.param({"x": "u"}, {"x": "u"}, [], id="the same"),
        pytest.param({"x": "u"}, {"y": "v"}, [], id="at different paths"),
        pytest.param({"x": 1}, {"x": 2}, [Clash("traits.x", "right", "1", "2")], id="two numbers that were set"),
        pytest.param({"x": True}, {"x": 1}, [Clash("traits.x", "right", "true", "1")], id="true is not 1"),
        pytest.param({"x": {"y": 1, "z": 1}}, {"x": {"y": 2}}, [Clash("traits.x.y", "right", "1", "2")], id="inside"),
        pytest.param({"x": {"y": 1}}, {"x": "u"}, [Clash("traits.x", "right", '{"y":1}', '"u"')], id="of two kinds"),
        pytest.param({"x": [1]}, {"x": [2]}, [], id="lists unite"),
        pytest.param({"x": Members(("p",))}, {"x": Members(("q",))}, [], id="sets unite"),
        pytest.param({"a.b": 1}, {"a.b": 2}, [Clash("traits['a.b']", "right", "1", "2")], id="a name with a dot"),
    ],
)
def test_different_values_at_one_path_are_a_clash(one: Any, other: Any, expected: list[Clash]) -> None:
    assert clashes(person("a", 10, *traits(**one)), person("b", 20, *traits(**other))) == expected


def test_the_left_side_of_a_clash_is_that_of_the_unit() -> None:
    assert clashes(person("b", 10, *traits(x="u")), person("a", 20, *traits(x="v"))) == [
        Clash("traits.x", "right", '"u"', '"v"')
    ]
    assert clashes(person("b", 30, *traits(x="u")), person("a", 20, *traits(x="v"))) == [
        Clash("traits.x", "left", '"u"', '"v"')
    ]


def test_counters_add_up_and_do_not_clash() -> None:
    count = Increment(("traits", "n"), 2)
    assert clashes(person("a", 10, count), person("b", 20, count, count)) == []
    assert clashes(person("a", 10, count), person("b", 20, *traits(n=9))) == []


def test_a_value_that_the_unit_set_before_the_merge_can_clash() -> None:
    own, other = person("a", 10), person("b", 20, *traits(n=2))
    cause = replace(CAUSE, operations=(Set(("traits", "n"), 1),))
    view = {"traits": {"n": 1}}
    found = origin(cause, "a", ProfileState(own, view), ProfileState(other, fold(other)), ProfileState(own, view))
    assert found.clashes == (Clash("traits.n", "left", "1", "2"),)


def test_clashes_and_their_values_are_bounded() -> None:
    one = person("a", 10, *traits(**{f"x{n:02}": "u" * 500 for n in range(25)}))
    other = person("b", 20, *traits(**{f"x{n:02}": "v" * 500 for n in range(25)}))
    found = origin_of(one, other)
    assert (len(found.clashes), found.more) == (MAX_CLASHES, 25 - MAX_CLASHES)
    assert all(len(clash.left or "") < MAX_VALUE_LENGTH + 30 for clash in found.clashes)


# ---- links that documents share --------------------------------------------------------------------------------------


def linked(own: Profile, other: Profile, key: str = "k", cause: Cause = CAUSE) -> Profile:
    """Return the profile that two become by a key, with the origin in both links."""
    why = origin_of(own, other, cause)
    pool = Pool.of(own, other)
    for id in (own.id, other.id):
        pool = pool.with_link(replace(new_link(id, "proof", key), why=why))
    return regroup(pool, (own, other), own.id).of(own.id)


@pytest.mark.parametrize("turned", [False, True], ids=["in this order", "in the other"])
def test_united_copies_of_a_link_keep_the_first_origin(turned: bool) -> None:
    copies = [linked(person("a", 10), person("b", 20), cause=replace(CAUSE, at=at)) for at in (7, 5, 9)]
    pool = Pool.of(*(copies[::-1] if turned else copies))
    assert pool.links == copies[1].links


def test_a_split_profile_keeps_no_values_of_the_other_side_in_its_links() -> None:
    both = linked(person("a", 10, *traits(x="u")), person("b", 20, *traits(x="v")))
    all_three = linked(both, person("c", 30, *traits(x="w")), "j")
    sides = regroup(undo(Pool.of(all_three), link_id("b", "proof", "k"), 70), (all_three,), "a").profiles
    assert [side.ids for side in sides] == [("a", "c"), ("b",)]
    undone = [side.links.get(link_id("b", "proof", "k")) for side in sides]
    assert undone[0] is None
    assert undone[1] is not None
    assert undone[1].undone == 70
    for link in (*sides[1].links.values(), sides[0].links[link_id("a", "proof", "k")]):
        assert link.why is not None
        assert [(clash.path, clash.left, clash.right) for clash in link.why.clashes] == [("traits.x", None, None)]


def test_links_within_one_side_keep_the_values_of_their_clashes() -> None:
    both = linked(person("a", 10, *traits(x="u")), person("b", 20, *traits(x="v")))
    all_three = linked(both, person("c", 30, *traits(x="w")), "j")
    first, _ = regroup(undo(Pool.of(all_three), link_id("c", "proof", "j"), 70), (all_three,), "a").profiles
    why = first.links[link_id("b", "proof", "k")].why
    assert why is not None
    assert why.clashes == (Clash("traits.x", "right", '"u"', '"v"'),)
