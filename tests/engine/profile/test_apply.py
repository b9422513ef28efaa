"""Operations are written to one part, all at one time, and the fold reads them back."""

import msgspec
import pytest
from hypothesis import given

from engine.profile.apply import apply_operations
from engine.profile.cellpath import member_cell
from engine.profile.document import LIST_CAP, SET_CAP, Members, Part, new_profile
from engine.profile.fold import fold
from engine.profile.operations import Add, Append, Increment, Refused, Remove, Set, Unset
from engine.profile.profile_view import change_view, profile_view
from engine.profile.tree import look
from tests.engine.profile.histories import examples, logs, play, reference_of
from tests.engine.profile.profiles import Profiles, exact
from tests.engine.profile.reference import apply_plainly

IDS = "ABC"
AGE, TAGS, LAST = ("traits", "age"), ("traits", "tags"), ("traits", "last")


def merged():
    reference, profiles = reference_of(IDS), Profiles(IDS)
    for left, right in ("AB", "BC"):
        reference.merge(left, right, "k")
        profiles.merge(left, right, "k")
    return reference, profiles


@examples(120)
@given(logs(IDS, most=14, unit=3))
def test_operations_under_any_id_of_a_merged_profile_have_the_same_effect(log):
    """They read as if they were applied to one plain dictionary."""
    reference, profiles = merged()
    tree: dict = {}
    for entry in log:
        for _, _, ops in play(reference, profiles, [entry]):
            for op in ops:
                tree = apply_plainly(tree, op)
        assert exact(profiles.read("A")) == exact(tree)


@examples(120)
@given(logs(IDS, most=8), logs(IDS, most=8))
def test_writes_after_a_merge_are_read_back_even_if_the_parts_conflict(past, log):
    reference, profiles = reference_of(IDS), Profiles(IDS)
    play(reference, profiles, past)
    for left, right in ("AB", "BC"):
        reference.merge(left, right, "k")
        profiles.merge(left, right, "k")
    for entry in log:
        before = profiles.read("A")
        for id, _, ops in play(reference, profiles, [entry]):
            for op in ops:
                before = apply_plainly(before, op)
            assert exact(profiles.read(id)) == exact(before)


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
def test_a_removal_does_not_bring_back_the_values_that_it_hid(past, op, acting):
    profiles = Profiles("AB")
    for now, (id, older) in enumerate(past, 10):
        profiles.commit(id, [older], now)
    profiles.merge("A", "B", "k")
    profiles.commit(acting, [op], 50)  # checks that the fold is the changed view


def test_a_commit_without_operations_makes_the_next_version():
    profile = new_profile("p", 100)
    after, time = apply_operations(profile, "p", (), 100)
    assert (after.version, time) == (1, 101)
    assert after.parts is profile.parts


@pytest.mark.parametrize(
    ("now", "time"),
    [pytest.param(500, 500, id="the current time"), pytest.param(3, 101, id="never before an earlier write")],
)
def test_all_writes_of_a_unit_have_one_time(now, time):
    profile, got = apply_operations(
        new_profile("p", 100), "p", [Set(AGE, 1), Set(TAGS, {"a": 2}), Increment(LAST, 1)], now
    )
    assert got == time
    part = profile.parts["p"]
    assert (part.base, part.last, part.times) == (time, time, {})  # the first write sets the base
    assert part.marks == {"traits.tags": 0}
    assert part.counts == {"traits.last": (time, time, 1)}


def test_a_later_write_stores_its_time_relative_to_the_base():
    profile, _ = apply_operations(new_profile("p", 0), "p", [Set(AGE, 1), Set(TAGS, 1)], 1000)
    profile, _ = apply_operations(profile, "p", [Set(AGE, 2), Unset(TAGS)], 1500)
    part = profile.parts["p"]
    assert (part.base, part.last, part.times, part.marks) == (1000, 1500, {"traits.age": 500}, {"traits.tags": 500})
    assert part.cells == {"traits.age": 2}


def test_a_write_is_later_than_every_earlier_write_of_the_profile():
    profiles = Profiles("AB")
    profiles.commit("B", [Set(AGE, 1)], 10_000)
    profiles.merge("A", "B", "k")
    profiles.commit("A", [Set(AGE, 2)], 50)
    assert profiles.of("A").parts["A"].last == 10_001
    assert profiles.read("B") == {"traits": {"age": 2}}


def test_only_the_acting_part_is_written():
    profiles = Profiles("AB")
    profiles.commit("B", [Increment(AGE, 4)], 10)
    profiles.merge("A", "B", "k")
    before = profiles.of("A").parts["B"]
    profiles.commit("A", [Set(AGE, 1)], 20)
    assert profiles.of("A").parts["B"] is before
    assert profiles.of("A").parts["A"].seen_counts == {"B": {"traits.age": before.counts["traits.age"]}}


def test_a_write_under_an_id_without_a_part_creates_the_part():
    profile, time = apply_operations(new_profile("p", 100), "q", [Set(AGE, 1)], 200)
    assert profile.parts["q"] == Part(id="q", created=time, base=time, last=time, cells={"traits.age": 1})
    assert fold(profile) == {"traits": {"age": 1}}


def test_a_part_created_for_the_profiles_own_id_is_as_old_as_the_profile():
    profile = msgspec.structs.replace(new_profile("p", 100), parts={})
    assert apply_operations(profile, "p", [Set(AGE, 1)], 200)[0].parts["p"].created == 100


def test_an_operation_that_does_not_fit_is_refused_and_nothing_is_written():
    profile, _ = apply_operations(new_profile("p", 0), "p", [Set(AGE, "four")], 1)
    before = msgspec.json.encode(profile)
    with pytest.raises(Refused, match=r"`traits\.age` is text, not a number"):
        apply_operations(profile, "p", [Set(LAST, 1), Increment(AGE, 1)], 2)
    assert msgspec.json.encode(profile) == before


@examples(100)
@given(logs("A", most=8))
def test_a_commit_does_not_change_its_input(log):
    profile = new_profile("A", 0)
    for _, now, ops in log:
        before = msgspec.json.encode(profile)
        try:
            after, _ = apply_operations(profile, "A", ops, now)
        except Refused:
            after = profile
        assert msgspec.json.encode(profile) == before
        profile = after


def test_a_commit_accepts_the_view_in_place_of_the_fold():
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
    profiles = Profiles("pq")
    profiles.commit("p", [Add(TAGS, "old")], 1)
    profiles.merge("p", "q", "k")
    profile = profiles.of("q")
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
