"""What a step records of itself: how it came about, what both sides held, and what of that was lost from sight."""

from typing import Any

import pytest
from msgspec.structs import replace

from engine.profile.apply import apply_operations
from engine.profile.clash import MAX_CLASHES, SHORT
from engine.profile.document import Clash, Link, Members, Profile, Side, new_profile
from engine.profile.fold import fold
from engine.profile.link_history import MAX_LINKS, MAX_NAMED, Cause, ProfileState, link_limit_reason, with_origin
from engine.profile.merge import link_id, unite, unmerge
from engine.profile.operations import Increment, Operation, Set

CAUSE = Cause(at=50, event="e-1", type="login", flow="who", node="merge")


def person(id: str, created: int, *ops: Operation) -> Profile:
    profile, _ = apply_operations(new_profile(id, created), id, ops, created)
    return profile


def traits(**values: Any) -> list[Operation]:
    return [Set(("traits", name), value) for name, value in values.items()]


def joined(own: Profile, other: Profile, cause: Cause = CAUSE, ends: tuple[str, str] | None = None) -> Profile:
    """What becomes of two profiles, of which `own` acts."""
    left, right = ends or (own.id, other.id)
    step = Link(link_id(left, right, "k"), left, right, "k")
    united = unite(own, other, step)
    return with_origin(
        united, step.id, cause, ProfileState(own, fold(own)), ProfileState(other, fold(other)), fold(united)
    )


def the_step(profile: Profile) -> Link:
    (step,) = profile.links.values()
    return step


def clashes(own: Profile, other: Profile) -> list[Clash]:
    why = the_step(joined(own, other)).why
    assert why is not None
    return list(why.clashes)


def test_a_step_says_when_where_and_between_whom_it_came_about() -> None:
    step = the_step(joined(person("b", 20), person("a", 10)))
    assert step.why is not None
    told = step.why
    assert (told.at, told.event, told.type, told.flow, told.node) == (50, "e-1", "login", "who", "merge")
    assert (told.acting, told.won, step.left, step.right) == ("b", "a", "a", "b")
    assert (told.left, told.right, told.clashes) == (Side(("a",)), Side(("b",)), ())


def test_of_many_ids_a_side_names_some() -> None:
    many = person("a", 1)
    for turn in range(8):
        many = joined(many, person(f"a-{turn}", 10 + turn), ends=("a", f"a-{turn}"))
    step = joined(person("z", 90), many, ends=("z", "a-3")).links[link_id("z", "a-3", "k")]
    assert step.why is not None
    assert step.why.left is not None
    assert (step.why.left.ids[0], len(step.why.left.ids), step.why.left.more) == ("a", MAX_NAMED, 9 - MAX_NAMED)


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
def test_what_differs_on_both_sides_is_a_clash(one: Any, other: Any, expected: list[Clash]) -> None:
    assert clashes(person("a", 10, *traits(**one)), person("b", 20, *traits(**other))) == expected


def test_the_older_side_is_left_of_a_clash_if_its_id_is_smaller() -> None:
    assert clashes(person("b", 10, *traits(x="u")), person("a", 20, *traits(x="v"))) == [
        Clash("traits.x", "left", '"v"', '"u"')
    ]


def test_counters_add_up_and_do_not_clash() -> None:
    count = Increment(("traits", "n"), 2)
    assert clashes(person("a", 10, count), person("b", 20, count, count)) == []
    assert clashes(person("a", 10, count), person("b", 20, *traits(n=9))) == []


def test_what_the_unit_has_set_before_it_joined_counts_as_held() -> None:
    own, other = person("a", 10), person("b", 20, *traits(n=2))
    cause = replace(CAUSE, operations=(Set(("traits", "n"), 1),))
    step = Link(link_id("a", "b", "k"), "a", "b", "k")
    held = ProfileState(own, {"traits": {"n": 1}})
    told = with_origin(
        unite(own, other, step), step.id, cause, held, ProfileState(other, fold(other)), {"traits": {"n": 1}}
    )
    assert the_step(told).why.clashes == (Clash("traits.n", "left", "1", "2"),)  # type: ignore[union-attr]


def test_clashes_and_their_values_are_bounded() -> None:
    one = person("a", 10, *traits(**{f"x{n:02}": "u" * 500 for n in range(25)}))
    other = person("b", 20, *traits(**{f"x{n:02}": "v" * 500 for n in range(25)}))
    why = the_step(joined(one, other)).why
    assert why is not None
    assert (len(why.clashes), why.more) == (MAX_CLASHES, 25 - MAX_CLASHES)
    assert all(len(clash.left or "") < SHORT + 30 for clash in why.clashes)


def test_a_step_between_ids_of_one_profile_held_nothing_against_itself() -> None:
    both = joined(person("a", 10, *traits(x="u")), person("b", 20, *traits(x="v")))
    step = Link(link_id("a", "b", "j"), "a", "b", "j")
    again = with_origin(
        unite(both, both, step), step.id, CAUSE, ProfileState(both, fold(both)), ProfileState(both, fold(both)), {}
    )
    why = again.links[step.id].why
    assert why is not None
    assert (why.left, why.right, why.clashes) == (None, None, ())


def test_a_step_says_why_once() -> None:
    first = joined(person("a", 10), person("b", 20))
    step = Link(link_id("a", "b", "k"), "a", "b", "k")
    later = replace(CAUSE, at=99, event="e-2")
    again = with_origin(unite(first, first, step), step.id, later, ProfileState(first, {}), ProfileState(first, {}), {})
    assert again.links == first.links


@pytest.mark.parametrize("turned", [False, True], ids=["in this order", "in the other"])
def test_of_two_copies_of_a_step_the_first_proof_says_why(turned: bool) -> None:
    one, other = person("a", 10), person("b", 20)
    claim, proof, later = (
        replace(the_step(joined(one, other, replace(CAUSE, at=at))), claim=claimed)
        for at, claimed in ((5, True), (7, False), (9, False))
    )
    copies = [claim, proof, later]
    both = unite(one, other, copies[0])
    for copy in reversed(copies) if turned else copies:
        both = unite(both, both, copy)
    assert (the_step(both).claim, the_step(both).why) == (False, proof.why)


def test_what_is_set_apart_holds_no_values_of_the_other_side() -> None:
    both = joined(person("a", 10, *traits(x="u")), person("b", 20, *traits(x="v")))
    all_three = joined(person("c", 30, *traits(x="w")), both, ends=("c", "b"))
    sides = unmerge(all_three, link_id("a", "b", "k"), now=70)
    assert [side.ids for side in sides] == [("a",), ("b", "c")]
    for side in sides:
        for step in side.links.values():
            assert step.why is not None
            assert [(clash.path, clash.left, clash.right) for clash in step.why.clashes] == [("traits.x", None, None)]
    assert {step.undone_at for step in sides[0].links.values()} == {70}


def test_steps_within_a_side_keep_what_they_held() -> None:
    both = joined(person("a", 10, *traits(x="u")), person("b", 20, *traits(x="v")))
    all_three = joined(person("c", 30, *traits(x="w")), both, ends=("c", "b"))
    first, _ = unmerge(all_three, link_id("c", "b", "k"))
    why = first.links[link_id("a", "b", "k")].why
    assert why is not None
    assert why.clashes == (Clash("traits.x", "right", '"u"', '"v"'),)


# ---- limits ---------------------------------------------------------------------------------------------------------


def star(count: int, cause: str = "k", undone: bool = False) -> Profile:
    """A profile whose id `a` is joined with so many others for one cause."""
    steps = [Link(link_id("a", f"b{n}", cause), "a", f"b{n}", cause, undone=undone) for n in range(count)]
    parts = {id: new_profile(id, 1).parts[id] for id in ("a", *(step.right for step in steps))}
    return replace(new_profile("a", 1), parts=parts, links={step.id: step for step in steps})


@pytest.mark.parametrize(
    ("united", "told"),
    [
        pytest.param(star(3), "", id="as many as may be"),
        pytest.param(star(4), "would join more than 3 profiles", id="one more for that cause"),
        pytest.param(star(4, "other"), "", id="for another cause"),
        pytest.param(star(4, undone=True), "", id="undone ones do not count"),
        pytest.param(star(10, "other"), "at most 10 ids", id="too many ids"),
    ],
)
def test_a_cause_and_a_profile_join_no_more_than_they_may(united: Profile, told: str) -> None:
    step = Link(link_id("a", "b0", "k"), "b0", "a", "k")
    assert told in link_limit_reason(united, step, ids=10, most=3)
    assert (told == "") == (link_limit_reason(united, step, ids=10, most=3) == "")


def test_a_profile_has_no_endless_list_of_steps() -> None:
    steps = {f"{n}": Link(f"{n}", "a", "b", f"{n}") for n in range(MAX_LINKS + 1)}
    united = replace(new_profile("a", 1), links=steps)
    assert "joined at most" in link_limit_reason(united, Link("x", "a", "b", "x"), ids=10, most=3)
