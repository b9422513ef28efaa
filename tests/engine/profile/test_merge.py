"""Merges give the same in any order and however often they are repeated; each can be undone."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.profile.apply import apply_operations
from engine.profile.document import Link, Part, Profile, Standing, new_profile
from engine.profile.fold import fold
from engine.profile.merge import connected, link_id, still_joined, tombstone, unite, unmerge
from engine.profile.operations import Refused, Set
from tests.engine.profile.histories import examples, joins, logs, operations, play, steady, world
from tests.engine.profile.profiles import People, exact

IDS = "ABC"
FIVE = "ABCDE"
X = ("traits", "x")


def step(left: str, right: str, cause: str = "k", claim: bool = False, undone: bool = False) -> Link:
    return Link(link_id(left, right, cause), left, right, cause, claim, undone)


def stored(id: str, created: int, version: int = 1) -> Profile:
    return msgspec.structs.replace(new_profile(id, created), version=version)


def test_a_step_is_the_same_in_either_order():
    assert link_id("a", "b", "k") == link_id("b", "a", "k")
    assert len({link_id("a", "b", "k"), link_id("a", "b", "j"), link_id("a", "c", "k"), link_id("ab", "", "k")}) == 4


@examples(120)
@given(
    logs(FIVE, operations, most=12),
    joins(FIVE, 8),
    st.randoms(use_true_random=False),
    st.lists(st.tuples(st.sampled_from("st"), st.sampled_from(FIVE)), max_size=2),
)
def test_any_order_and_repetition_of_steps_gives_the_same(log, steps, random, marks):
    base, reference = People(FIVE), world(FIVE)
    play(reference, base, log)
    for one in steps:
        reference.merge(*one)
    found = set()
    for _ in range(4):
        people = People(FIVE)
        people.documents = dict(base.documents)
        todo = [*steps, *random.choices(steps, k=3)]
        random.shuffle(todo)
        for left, right, cause in todo:
            people.merge(*random.sample((left, right), 2), cause)
        for id in FIVE:
            assert people.of(id).id == reference.canonical(id)
            assert exact(people.read(id)) == exact(reference.read(id))
        found.add(msgspec.json.encode({id: people.of(id) for id in FIVE}))
    assert len(found) == 1  # to the last byte


@examples(80)
@given(logs(IDS), joins(IDS), st.randoms(use_true_random=False), st.lists(st.integers(0, 5), max_size=2))
def test_what_was_undone_stays_undone_whenever_its_step_is_repeated(log, steps, random, undo):
    base, reference = People(IDS), world(IDS)
    play(reference, base, log)
    undone = {steps[at % len(steps)] for at in undo}
    for one in steps:
        reference.merge(*one)
    for one in undone:
        reference.unmerge(*one)
    for _ in range(3):
        people = People(IDS)
        people.documents = dict(base.documents)
        todo = [*steps, *random.choices(steps, k=2)]
        random.shuffle(todo)
        done = set()
        for one in todo:
            people.merge(*one)
            done.add(one)
            for late in undone & done:
                people.unmerge(*late)
        for id in IDS:
            assert set(people.of(id).parts) == reference.ids(id)
            assert people.of(id).id == reference.canonical(id)
            assert exact(people.read(id)) == exact(reference.read(id))


@examples(120)
@given(logs(IDS, steady, most=6), logs(IDS, steady, most=8))
def test_unmerging_gives_back_each_side_with_what_came_later(past, later):
    reference, people = world(IDS), People(IDS)
    done = play(reference, people, past)
    reference.merge("A", "B", "k")
    people.merge("A", "B", "k")
    done += play(reference, people, later, 50)
    people.unmerge("A", "B", "k")
    for id in IDS:
        alone = People(IDS)
        play(world(IDS), alone, [entry for entry in done if entry[0] == id])
        assert exact(people.read(id)) == exact(alone.read(id))
    people.merge("A", "B", "k")
    assert people.of("A").ids == ("A",)
    people.merge("A", "B", "other")
    assert people.of("B").ids == ("A", "B")


@examples(60)
@given(logs(IDS), st.lists(logs(IDS, most=4), min_size=3, max_size=3), joins(IDS, 2))
def test_copies_unite_in_any_order(past, forks, steps):
    """Three processes with old copies of one profile, each the only writer of one id."""
    people = People(IDS)
    play(world(IDS), people, past)
    for left, right in ("AB", "BC"):
        people.merge(left, right, "first")
    copies = []
    for id, log in zip(IDS, forks, strict=True):
        own = People(IDS)
        own.documents = dict(people.documents)
        for _, now, ops in log:
            with suppress(Refused):
                own.commit(id, ops, 100 + now)
        for one in steps:
            own.merge(*one)
        copies.append(own.of("A"))
    a, b, c = copies
    s = step("A", "B", "again")
    assert same(unite(a, b, s), unite(b, a, s))
    assert same(unite(unite(a, b, s), c, s), unite(a, unite(b, c, s), s))
    assert same(unite(unite(a, b, s), b, s), unite(a, b, s))


def same(one: Profile, other: Profile) -> bool:
    def told(profile: Profile) -> tuple:
        return profile.id, profile.created, profile.parts, profile.links, exact(fold(profile))

    return told(one) == told(other)


@pytest.mark.parametrize(
    ("one", "other", "winner"),
    [
        pytest.param(stored("b", 1), stored("a", 2), "b", id="the older one stays"),
        pytest.param(stored("b", 1), stored("a", 1), "a", id="of two as old the smaller id"),
        pytest.param(stored("b", 9), new_profile("a", 1), "b", id="one not yet stored counts as created last"),
        pytest.param(new_profile("b", 2), new_profile("a", 3), "b", id="two not yet stored"),
    ],
)
def test_the_canonical_profile_is_the_oldest(one, other, winner):
    survivor = {one.id: one, other.id: other}[winner]
    for joined in (unite(one, other, step("a", "b")), unite(other, one, step("a", "b"))):
        assert (joined.id, joined.created, joined.version) == (survivor.id, survivor.created, survivor.version)
        assert set(joined.ids) == {"a", "b"}
        assert joined.ids[0] == winner


def test_a_merged_profile_belongs_to_the_segments_of_both_until_that_is_worked_out_anew():
    one = msgspec.structs.replace(
        stored("a", 1), conditional=("vip",), standing={"vip": Standing(since=20)}, evaluated_at=30
    )
    held = {"big": Standing(since=5, holds_since=3), "vip": Standing(since=10)}
    other = msgspec.structs.replace(stored("b", 2), conditional=("big", "vip"), standing=held, evaluated_at=25, due=90)
    for united in (unite(other, one, step("a", "b")), unite(one, other, step("a", "b"))):
        assert united.conditional == ("big", "vip")
        assert united.standing == {"big": Standing(since=5, holds_since=3), "vip": Standing(since=10)}
        assert (united.evaluated_at, united.due) == (30, 0)


def test_who_is_set_apart_belongs_to_the_same_segments_until_that_is_worked_out_anew():
    people = People("AB")
    name = people.merge("A", "B", "k")
    held = {"vip": Standing(since=20)}
    for left in unmerge(
        msgspec.structs.replace(people.of("A"), conditional=("vip",), standing=held, evaluated_at=30), name
    ):
        assert (left.conditional, left.standing, left.evaluated_at, left.due) == (("vip",), held, 30, 0)


def test_joining_what_is_joined_records_the_step():
    joined = unite(stored("a", 1), stored("b", 2), step("a", "b"))
    again = unite(joined, joined, step("b", "a", "other"))
    assert set(again.links) == {link_id("a", "b", "k"), link_id("a", "b", "other")}
    assert again.parts == joined.parts


def test_proof_wins_over_a_claim_for_the_same_cause():
    for first, second in ((True, False), (False, True)):
        joined = unite(stored("a", 1), stored("b", 2), step("a", "b", claim=first))
        assert unite(joined, joined, step("a", "b", claim=second)).links[link_id("a", "b", "k")].claim is False


def test_a_step_that_was_undone_joins_nothing():
    one = unmerge(unite(stored("a", 1), stored("b", 2), step("a", "b")), link_id("a", "b", "k"))[0]
    assert unite(one, stored("b", 2), step("a", "b")) is one


def test_a_tombstone_says_where_the_profile_went():
    loser, _ = apply_operations(stored("b", 7, version=4), "b", [Set(X, 1)], 8)
    stone = tombstone(loser, "a")
    assert stone == Profile(id="b", created=7, version=6, merged_into="a")


def test_unmerging_splits_what_only_that_step_joined():
    joined = unite(stored("a", 1, 5), stored("b", 2, 3), step("a", "b"))
    joined = unite(joined, stored("c", 3, 2), step("b", "c"))
    first, second = unmerge(joined, link_id("a", "b", "k"))
    assert (first.ids, first.version, set(first.links)) == (("a",), 5, {link_id("a", "b", "k")})
    assert (second.ids, second.version, second.created) == (("b", "c"), 0, 2)
    assert {each.cause: each.undone for each in second.links.values() if each.left == "b"} == {"k": False}
    assert second.links[link_id("a", "b", "k")].undone
    assert still_joined(joined, link_id("a", "b", "k")) == ()


def test_unmerging_says_when_other_steps_still_join():
    joined = unite(stored("a", 1), stored("b", 2), step("a", "b"))
    joined = unite(joined, stored("c", 3), step("b", "c"))
    joined = unite(joined, joined, step("c", "a"))
    (left,) = unmerge(joined, link_id("a", "b", "k"))
    assert left.ids == ("a", "b", "c")
    assert left.links[link_id("a", "b", "k")].undone
    chain = still_joined(joined, link_id("a", "b", "k"))
    assert {each.id for each in chain} == {link_id("a", "c", "k"), link_id("b", "c", "k")}


def test_a_profile_that_keeps_its_id_keeps_it_although_its_part_is_younger():
    """As when its own document was stored before the other's."""
    joined = unite(stored("a", 9), new_profile("b", 1), step("a", "b"))
    joined = unite(joined, stored("c", 10), step("a", "c"))
    kept, _ = unmerge(joined, link_id("a", "b", "k"))
    assert (kept.id, kept.ids) == ("a", ("a", "c"))


def test_a_step_that_is_not_there_cannot_be_undone():
    with pytest.raises(KeyError):
        unmerge(stored("a", 1), "none")


def test_ids_are_connected_over_steps_that_are_not_undone():
    steps = {
        each.id: each
        for each in (step("a", "b"), step("b", "c", claim=True), step("c", "d"), step("a", "e", undone=True))
    }
    assert connected(steps, "a") == {"a", "b", "c", "d"}
    assert connected(steps, "a", proven=True) == {"a", "b"}
    assert connected(steps, "e") == {"e"}
    assert connected({}, "x") == {"x"}


def test_of_two_copies_of_a_part_the_newer_stays():
    old = stored("a", 1)
    new, _ = apply_operations(old, "a", [Set(X, 1)], 5)
    for one, other in ((old, new), (new, old)):
        joined = unite(one, other, step("a", "b"))
        assert joined.parts["a"] is new.parts["a"]
        assert joined.version == new.version


def test_a_part_that_no_step_mentions_stands_alone():
    joined = unite(stored("a", 1), stored("b", 2), step("a", "b"))
    odd = msgspec.structs.replace(joined, parts={**joined.parts, "z": Part(id="z", created=0)})
    assert [each.id for each in unmerge(odd, link_id("a", "b", "k"))] == ["a", "z", "b"]
