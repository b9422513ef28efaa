"""A link records how it was made, both sides, and the values that no longer show."""

from typing import Any

import pytest
from engine.profile.merge import link_id, unite, unmerge
from msgspec.structs import replace

from engine.profile.apply import apply_operations
from engine.profile.clash import MAX_CLASHES, MAX_VALUE_LENGTH
from engine.profile.document import Clash, Link, Members, Profile, Side, new_profile
from engine.profile.fold import fold
from engine.profile.link_history import MAX_LINKS, MAX_NAMED, Cause, ProfileState, link_limit_reason, with_origin
from engine.profile.operations import Increment, Operation, Set

CAUSE = Cause(at=50, event="e-1", type="login", flow="who", node="merge")


def person(id: str, created: int, *ops: Operation) -> Profile:
    profile, _ = apply_operations(new_profile(id, created), id, ops, created)
    return profile


def traits(**values: Any) -> list[Operation]:
    return [Set(("traits", name), value) for name, value in values.items()]


def joined(own: Profile, other: Profile, cause: Cause = CAUSE, ends: tuple[str, str] | None = None) -> Profile:
    """Return the merged profile, with the origin of its link; `own` is the profile of the unit."""
    left, right = ends or (own.id, other.id)
    link = Link(link_id(left, right, "k"), left, right, "k")
    united = unite(own, other, link)
    return with_origin(
        united, link.id, cause, ProfileState(own, fold(own)), ProfileState(other, fold(other)), fold(united)
    )


def the_link(profile: Profile) -> Link:
    (link,) = profile.links.values()
    return link


def clashes(own: Profile, other: Profile) -> list[Clash]:
    why = the_link(joined(own, other)).why
    assert why is not None
    return list(why.clashes)


def test_a_link_records_its_event_its_flow_and_both_sides() -> None:
    link = the_link(joined(person("b", 20), person("a", 10)))
    assert link.why is not None
    origin = link.why
    assert (origin.at, origin.event, origin.type, origin.flow, origin.node) == (50, "e-1", "login", "who", "merge")
    assert (origin.acting, origin.won, link.left, link.right) == ("b", "a", "a", "b")
    assert (origin.left, origin.right, origin.clashes) == (Side(("a",)), Side(("b",)), ())


def test_a_side_with_many_ids_lists_some_and_counts_the_others() -> None:
    many = person("a", 1)
    for turn in range(8):
        many = joined(many, person(f"a-{turn}", 10 + turn), ends=("a", f"a-{turn}"))
    link = joined(person("z", 90), many, ends=("z", "a-3")).links[link_id("z", "a-3", "k")]
    assert link.why is not None
    assert link.why.left is not None
    assert (link.why.left.ids[0], len(link.why.left.ids), link.why.left.more) == ("a", MAX_NAMED, 9 - MAX_NAMED)


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


def test_the_older_side_is_left_of_a_clash_if_its_id_is_smaller() -> None:
    assert clashes(person("b", 10, *traits(x="u")), person("a", 20, *traits(x="v"))) == [
        Clash("traits.x", "left", '"v"', '"u"')
    ]


def test_counters_add_up_and_do_not_clash() -> None:
    count = Increment(("traits", "n"), 2)
    assert clashes(person("a", 10, count), person("b", 20, count, count)) == []
    assert clashes(person("a", 10, count), person("b", 20, *traits(n=9))) == []


def test_a_value_that_the_unit_set_before_the_merge_can_clash() -> None:
    own, other = person("a", 10), person("b", 20, *traits(n=2))
    cause = replace(CAUSE, operations=(Set(("traits", "n"), 1),))
    link = Link(link_id("a", "b", "k"), "a", "b", "k")
    state = ProfileState(own, {"traits": {"n": 1}})
    united = with_origin(
        unite(own, other, link), link.id, cause, state, ProfileState(other, fold(other)), {"traits": {"n": 1}}
    )
    assert the_link(united).why.clashes == (Clash("traits.n", "left", "1", "2"),)  # type: ignore[union-attr]


def test_clashes_and_their_values_are_bounded() -> None:
    one = person("a", 10, *traits(**{f"x{n:02}": "u" * 500 for n in range(25)}))
    other = person("b", 20, *traits(**{f"x{n:02}": "v" * 500 for n in range(25)}))
    why = the_link(joined(one, other)).why
    assert why is not None
    assert (len(why.clashes), why.more) == (MAX_CLASHES, 25 - MAX_CLASHES)
    assert all(len(clash.left or "") < MAX_VALUE_LENGTH + 30 for clash in why.clashes)


def test_a_link_between_ids_of_one_profile_has_no_sides_and_no_clashes() -> None:
    both = joined(person("a", 10, *traits(x="u")), person("b", 20, *traits(x="v")))
    link = Link(link_id("a", "b", "j"), "a", "b", "j")
    again = with_origin(
        unite(both, both, link), link.id, CAUSE, ProfileState(both, fold(both)), ProfileState(both, fold(both)), {}
    )
    why = again.links[link.id].why
    assert why is not None
    assert (why.left, why.right, why.clashes) == (None, None, ())


def test_a_repeated_link_keeps_its_first_origin() -> None:
    first = joined(person("a", 10), person("b", 20))
    link = Link(link_id("a", "b", "k"), "a", "b", "k")
    later = replace(CAUSE, at=99, event="e-2")
    again = with_origin(unite(first, first, link), link.id, later, ProfileState(first, {}), ProfileState(first, {}), {})
    assert again.links == first.links


@pytest.mark.parametrize("turned", [False, True], ids=["in this order", "in the other"])
def test_united_copies_of_a_link_keep_the_origin_of_the_first_proof(turned: bool) -> None:
    one, other = person("a", 10), person("b", 20)
    claim, proof, later = (
        replace(the_link(joined(one, other, replace(CAUSE, at=at))), claim=claimed)
        for at, claimed in ((5, True), (7, False), (9, False))
    )
    copies = [claim, proof, later]
    both = unite(one, other, copies[0])
    for copy in reversed(copies) if turned else copies:
        both = unite(both, both, copy)
    assert (the_link(both).claim, the_link(both).why) == (False, proof.why)


def test_a_split_profile_keeps_no_values_of_the_other_side_in_its_links() -> None:
    both = joined(person("a", 10, *traits(x="u")), person("b", 20, *traits(x="v")))
    all_three = joined(person("c", 30, *traits(x="w")), both, ends=("c", "b"))
    sides = unmerge(all_three, link_id("a", "b", "k"), now=70)
    assert [side.ids for side in sides] == [("a",), ("b", "c")]
    for side in sides:
        for link in side.links.values():
            assert link.why is not None
            assert [(clash.path, clash.left, clash.right) for clash in link.why.clashes] == [("traits.x", None, None)]
    assert {link.undone_at for link in sides[0].links.values()} == {70}


def test_links_within_one_side_keep_the_values_of_their_clashes() -> None:
    both = joined(person("a", 10, *traits(x="u")), person("b", 20, *traits(x="v")))
    all_three = joined(person("c", 30, *traits(x="w")), both, ends=("c", "b"))
    first, _ = unmerge(all_three, link_id("c", "b", "k"))
    why = first.links[link_id("a", "b", "k")].why
    assert why is not None
    assert why.clashes == (Clash("traits.x", "right", '"u"', '"v"'),)


# ---- limits ---------------------------------------------------------------------------------------------------------


def star(count: int, cause: str = "k", undone: bool = False) -> Profile:
    """Return a profile whose id `a` is joined with `count` others for one cause."""
    links = [Link(link_id("a", f"b{n}", cause), "a", f"b{n}", cause, undone=undone) for n in range(count)]
    parts = {id: new_profile(id, 1).parts[id] for id in ("a", *(link.right for link in links))}
    return replace(new_profile("a", 1), parts=parts, links={link.id: link for link in links})


@pytest.mark.parametrize(
    ("united", "reason"),
    [
        pytest.param(star(3), "", id="at the limit"),
        pytest.param(star(4), "would join more than 3 profiles", id="one more for that cause"),
        pytest.param(star(4, "other"), "", id="for another cause"),
        pytest.param(star(4, undone=True), "", id="undone ones do not count"),
        pytest.param(star(10, "other"), "at most 10 ids", id="too many ids"),
    ],
)
def test_a_merge_beyond_the_limits_of_a_cause_or_a_profile_is_refused(united: Profile, reason: str) -> None:
    link = Link(link_id("a", "b0", "k"), "b0", "a", "k")
    assert reason in link_limit_reason(united, link, max_ids=10, max_per_key=3)
    assert (reason == "") == (link_limit_reason(united, link, max_ids=10, max_per_key=3) == "")


def test_a_profile_has_a_limited_number_of_links() -> None:
    links = {f"{n}": Link(f"{n}", "a", "b", f"{n}") for n in range(MAX_LINKS + 1)}
    united = replace(new_profile("a", 1), links=links)
    assert "at most 500 links" in link_limit_reason(united, Link("x", "a", "b", "x"), max_ids=10, max_per_key=3)
