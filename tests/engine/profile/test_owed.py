"""The obligations to a profile stay with it: when it merges, when it is parted, and when something is written to it."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.profile.apply import apply_operations
from engine.profile.document import Profile, Tail, WaitStub, new_profile
from engine.profile.grouping import Regrouped, regroup
from engine.profile.linking import Pool, groups, link_id, new_link, undo
from engine.profile.operations import Set
from engine.profile.owed import earliest, united
from tests.engine.profile.histories import examples

IDS = "ABCD"
stubs = st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 9), st.integers(0, 9)), max_size=6)


def waiting(run: str, of: str, began: int = 1, due: int = 9, **more: object) -> WaitStub:
    return WaitStub(run, 1, "flow", of, began, due, **more)  # type: ignore[arg-type]


def stored(id: str, created: int, **owed: object) -> Profile:
    return replace(new_profile(id, created), version=1, **owed)


def joined(*documents: Profile) -> Regrouped:
    pool = Pool.of(*documents)
    for document in documents:
        pool = pool.with_link(new_link(document.id, "proof", "k"))
    return regroup(pool, documents)


@examples(100)
@given(stubs, st.sets(st.sampled_from(IDS)), st.sets(st.sampled_from(IDS)))
def test_each_wait_is_in_exactly_the_profile_that_has_its_id_however_ids_join_and_part(waits, join, part):
    made = [waiting(f"r{n}", of, began, due) for n, (of, began, due) in enumerate(waits)]
    documents = [stored(id, n, waits=tuple(w for w in made if w.of == id)) for n, id in enumerate(IDS)]
    pool = Pool.of(*documents)
    for id in join:
        pool = pool.with_link(new_link(id, "proof", "k"))
    profiles = regroup(pool, documents, *IDS).profiles
    for id in part & join:
        pool = undo(Pool.of(*profiles), link_id(id, "proof", "k"), 1)
        profiles = regroup(pool, profiles, *IDS).profiles
    assert Counter(wait for profile in profiles for wait in profile.waits) == Counter(made)
    for profile in profiles:
        assert frozenset(profile.parts) in groups(Pool.of(*profiles))
        assert all(wait.of in profile.parts for wait in profile.waits)
        assert list(profile.waits) == sorted(profile.waits, key=lambda wait: (wait.began, wait.run))


def test_a_wait_of_an_id_that_no_profile_has_stays_with_the_profile_that_stays() -> None:
    odd = waiting("r", "stranger")
    one = joined(stored("A", 1), stored("B", 2, waits=(odd,))).profiles[0]
    assert one.waits == (odd,)
    apart = regroup(undo(Pool.of(one), link_id("B", "proof", "k"), 1), (one,), "A").profiles
    assert {profile.id: profile.waits for profile in apart} == {"A": (odd,), "B": ()}


def test_of_one_run_only_the_latest_wait_counts() -> None:
    first, second = waiting("r", "A"), replace(waiting("r", "A"), n=2)
    assert united([stored("A", 1, waits=(second,)), stored("A", 1, waits=(first,))]).waits == (second,)
    arrived = replace(first, arrived=True)
    assert united([stored("A", 1, waits=(first,)), stored("A", 1, waits=(arrived,))]).waits == (arrived,)


def test_a_merge_has_the_last_deliveries_of_both_and_the_newer_firing() -> None:
    left = stored("A", 1, tails={"crm": Tail(("d1",), 5), "erp": Tail(("e",), 1)}, fired={"x": 7, "y": 1})
    right = stored("B", 2, tails={"crm": Tail(("d2",), 3)}, fired={"x": 4, "z": 2})
    one = joined(left, right).profiles[0]
    assert one.tails == {"crm": Tail(("d1", "d2"), 5), "erp": Tail(("e",), 1)}
    assert one.fired == {"x": 7, "y": 1, "z": 2}


def test_both_sides_of_an_unmerge_have_all_last_deliveries_and_firings() -> None:
    one = joined(stored("A", 1, tails={"crm": Tail(("d1",), 5)}), stored("B", 2, fired={"x": 4})).profiles[0]
    apart = regroup(undo(Pool.of(one), link_id("B", "proof", "k"), 1), (one,), "A").profiles
    assert [profile.id for profile in apart] == ["A", "B"]
    for side in apart:
        assert (side.tails, side.fired) == (one.tails, one.fired)


def test_writing_to_a_profile_leaves_what_is_owed_to_it() -> None:
    owed = {"waits": (waiting("r", "A"),), "tails": {"crm": Tail(("d1",), 5)}, "fired": {"x": 4}}
    written, _ = apply_operations(stored("A", 1, **owed), "A", [Set(("traits", "a"), 1)], 8)
    assert (written.waits, written.tails, written.fired) == tuple(owed.values())


@pytest.mark.parametrize(
    ("due", "dues", "expected"),
    [(None, (), None), (5, (), 5), (None, (7, 3), 3), (5, (7,), 5), (5, (3, 9), 3), (0, (3,), 0)],
)
def test_a_profile_is_due_at_the_earliest_of_its_times(due: int | None, dues: tuple[int, ...], expected: int) -> None:
    assert earliest(due, [waiting(f"r{n}", "A", due=each) for n, each in enumerate(dues)]) == expected
