"""Operations are written into one part, at one time, and read back as they were seen."""

import msgspec
import pytest
from hypothesis import given

from engine.profile.apply import apply_operations
from engine.profile.cellpath import member_cell
from engine.profile.document import LIST_CAP, SET_CAP, Link, Members, Part, new_profile
from engine.profile.fold import fold
from engine.profile.merge import link_id, unite
from engine.profile.operations import Add, Append, Increment, Refused, Remove, Set, Unset
from engine.profile.profile_view import change_view, profile_view
from engine.profile.tree import look
from tests.engine.profile.histories import examples, logs, play, world
from tests.engine.profile.profiles import People, exact
from tests.engine.profile.reference import plainly

IDS = "ABC"
AGE, TAGS, LAST = ("traits", "age"), ("traits", "tags"), ("traits", "last")


def merged():
    reference, people = world(IDS), People(IDS)
    for left, right in ("AB", "BC"):
        reference.merge(left, right, "k")
        people.merge(left, right, "k")
    return reference, people


@examples(120)
@given(logs(IDS, most=14, unit=3))
def test_once_merged_the_id_makes_no_difference(log):
    """Any operations under any ids of a merged profile read as on one plain dictionary."""
    reference, people = merged()
    tree: dict = {}
    for entry in log:
        for _, _, ops in play(reference, people, [entry]):
            for op in ops:
                tree = plainly(tree, op)
        assert exact(people.read("A")) == exact(tree)


@examples(120)
@given(logs(IDS, most=8), logs(IDS, most=8))
def test_what_was_written_is_read_also_after_conflicting_pasts(past, log):
    reference, people = world(IDS), People(IDS)
    play(reference, people, past)
    for left, right in ("AB", "BC"):
        reference.merge(left, right, "k")
        people.merge(left, right, "k")
    for entry in log:
        before = people.read("A")
        for id, _, ops in play(reference, people, [entry]):
            for op in ops:
                before = plainly(before, op)
            assert exact(people.read(id)) == exact(before)


@pytest.mark.parametrize(
    ("past", "op"),
    [
        pytest.param([("A", Set(AGE, "x")), ("B", Set((*AGE, "y"), 1))], Unset((*AGE, "y")), id="the last name"),
        pytest.param([("A", Increment(AGE, 1)), ("B", Add(AGE, "m"))], Remove(AGE, "m"), id="the last member"),
        pytest.param([("A", Append(AGE, 1)), ("B", Set((*AGE, "y", "z"), 1))], Unset((*AGE, "y", "z")), id="deeper"),
        pytest.param([("A", Set(("traits",), 1)), ("B", Set(AGE, 1))], Set(AGE, {}), id="set to nothing"),
        pytest.param(
            [("B", Set((*AGE, "y"), 1)), ("A", Increment(AGE, 5)), ("B", Set((*AGE, "z"), 1))],
            Unset((*AGE, "z")),
            id="the newest of several names",
        ),
        pytest.param([("B", Set((*AGE, "y"), 1)), ("A", Increment(AGE, 5))], Unset((*AGE, "y")), id="below a number"),
    ],
)
@pytest.mark.parametrize("acting", ["A", "B"])
def test_taking_away_does_not_bring_back_what_it_hid(past, op, acting):
    people = People("AB")
    for now, (id, older) in enumerate(past, 10):
        people.commit(id, [older], now)
    people.merge("A", "B", "k")
    people.commit(acting, [op], 50)  # compares with the changed view


def test_a_commit_without_operations_is_the_next_version():
    profile = new_profile("p", 100)
    after, time = apply_operations(profile, "p", (), 100)
    assert (after.version, time) == (1, 101)
    assert after.parts is profile.parts


@pytest.mark.parametrize(
    ("now", "time"),
    [pytest.param(500, 500, id="the clock"), pytest.param(3, 101, id="never before what was written")],
)
def test_a_unit_has_one_time(now, time):
    profile, got = apply_operations(
        new_profile("p", 100), "p", [Set(AGE, 1), Set(TAGS, {"a": 2}), Increment(LAST, 1)], now
    )
    assert got == time
    part = profile.parts["p"]
    assert (part.base, part.last, part.times) == (time, time, {})  # the first write gives the default time
    assert part.marks == {"traits.tags": 0}
    assert part.counts == {"traits.last": (time, time, 1)}


def test_a_later_write_notes_its_time_as_a_difference():
    profile, _ = apply_operations(new_profile("p", 0), "p", [Set(AGE, 1), Set(TAGS, 1)], 1000)
    profile, _ = apply_operations(profile, "p", [Set(AGE, 2), Unset(TAGS)], 1500)
    part = profile.parts["p"]
    assert (part.base, part.last, part.times, part.marks) == (1000, 1500, {"traits.age": 500}, {"traits.tags": 500})
    assert part.cells == {"traits.age": 2}


def test_every_time_is_later_than_any_in_the_profile():
    people = People("AB")
    people.commit("B", [Set(AGE, 1)], 10_000)
    people.merge("A", "B", "k")
    people.commit("A", [Set(AGE, 2)], 50)
    assert people.of("A").parts["A"].last == 10_001
    assert people.read("B") == {"traits": {"age": 2}}


def test_only_the_acting_part_is_written():
    people = People("AB")
    people.commit("B", [Increment(AGE, 4)], 10)
    people.merge("A", "B", "k")
    before = people.of("A").parts["B"]
    people.commit("A", [Set(AGE, 1)], 20)
    assert people.of("A").parts["B"] is before
    assert people.of("A").parts["A"].seen_counts == {"B": {"traits.age": before.counts["traits.age"]}}


def test_an_id_without_a_part_gets_one():
    profile, time = apply_operations(new_profile("p", 100), "q", [Set(AGE, 1)], 200)
    assert profile.parts["q"] == Part(id="q", created=time, base=time, last=time, cells={"traits.age": 1})
    assert fold(profile) == {"traits": {"age": 1}}


def test_the_own_id_without_a_part_gets_one_as_old_as_the_profile():
    profile = msgspec.structs.replace(new_profile("p", 100), parts={})
    assert apply_operations(profile, "p", [Set(AGE, 1)], 200)[0].parts["p"].created == 100


def test_what_does_not_fit_is_refused_and_nothing_is_written():
    profile, _ = apply_operations(new_profile("p", 0), "p", [Set(AGE, "four")], 1)
    before = msgspec.json.encode(profile)
    with pytest.raises(Refused, match=r"`traits\.age` is text, not a number"):
        apply_operations(profile, "p", [Set(LAST, 1), Increment(AGE, 1)], 2)
    assert msgspec.json.encode(profile) == before


@examples(100)
@given(logs("A", most=8))
def test_a_commit_leaves_the_profile_it_is_given_as_it_was(log):
    profile = new_profile("A", 0)
    for _, now, ops in log:
        before = msgspec.json.encode(profile)
        try:
            after, _ = apply_operations(profile, "A", ops, now)
        except Refused:
            after = profile
        assert msgspec.json.encode(profile) == before
        profile = after


def test_the_shown_profile_will_do_as_what_was_before():
    profile, _ = apply_operations(new_profile("p", 0), "p", [Add(("segments",), "vip"), Set(AGE, 1)], 1)
    profile = msgspec.structs.replace(profile, conditional=("big",))
    view = profile_view(profile, fold(profile))
    ops = [
        Unset(AGE),
        Remove(("segments",), "vip"),
        Add(("segments",), "big"),
        Set(("pii", "email"), "x"),
        Append(TAGS, 1),
    ]
    after, _ = apply_operations(profile, "p", ops, 2, view)
    for op in ops:
        view = change_view(view, op)
    assert exact({**profile_view(after, fold(after)), "metadata": 0}) == exact({**view, "metadata": 0})


@pytest.mark.parametrize("claim", [True, False])
def test_a_part_written_while_a_claim_is_in_sight_is_mixed(claim):
    people = People("AB")
    people.merge("A", "B", "k", claim=claim)
    people.commit("A", [Set(AGE, 1)], 10)
    assert people.of("A").parts["A"].mixed is claim
    assert people.of("A").parts["B"].mixed is False
    people.unmerge("A", "B", "k")
    people.commit("A", [Set(AGE, 2)], 10)
    assert people.of("A").parts["A"].mixed is claim  # for good


def test_a_claim_that_was_proven_too_mixes_nothing():
    people = People("AB")
    people.merge("A", "B", "k", claim=True)
    people.merge("A", "B", "j", claim=False)
    people.commit("A", [Set(AGE, 1)], 10)
    assert people.of("A").parts["A"].mixed is False


def test_a_list_drops_its_oldest_cells():
    profile, _ = apply_operations(new_profile("p", 0), "p", [Set(TAGS, list(range(LIST_CAP)))], 5)
    profile, _ = apply_operations(profile, "p", [Append(TAGS, "x"), Append(TAGS, "y")], 6)
    assert len(profile.parts["p"].cells) == LIST_CAP
    assert look(fold(profile), TAGS) == [*range(2, LIST_CAP), "x", "y"]


def test_the_marks_of_removed_members_are_bounded():
    profile = new_profile("p", 0)
    for now in range(1, SET_CAP + 11):
        profile, _ = apply_operations(profile, "p", [Add(TAGS, now), Remove(TAGS, now)], now, {})
    assert len(profile.parts["p"].marks) == SET_CAP
    assert member_cell("traits.tags", 10) not in profile.parts["p"].marks
    assert fold(profile) == {}


def test_a_mark_that_hides_a_member_of_another_part_stays():
    one, _ = apply_operations(new_profile("p", 0), "p", [Add(TAGS, "old")], 1)
    other = new_profile("q", 0)
    step = Link(id=link_id("p", "q", "k"), left="p", right="q", cause="k")
    profile = unite(one, other, step)
    profile, _ = apply_operations(profile, "q", [Remove(TAGS, "old")], 2)
    for now in range(3, SET_CAP + 13):
        profile, _ = apply_operations(profile, "q", [Remove(TAGS, now)], now, {})
    assert len(profile.parts["q"].marks) == SET_CAP + 1
    assert fold(profile) == {}


def test_a_full_set_is_written_and_read():
    profile, _ = apply_operations(new_profile("p", 0), "p", [Set(TAGS, Members(range(SET_CAP)))], 1)
    assert exact(look(fold(profile), TAGS)) == exact(Members(range(SET_CAP)))


def test_fractions_add_up_within_their_precision():
    profile, _ = apply_operations(new_profile("p", 0), "p", [Set(AGE, 5.1)], 1)
    for now in range(10):
        profile, _ = apply_operations(profile, "p", [Increment(AGE, 0.1)], now)
    assert look(fold(profile), AGE) == pytest.approx(6.1)
