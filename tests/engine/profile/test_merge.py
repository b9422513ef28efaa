"""Merges have the same result in any order and however often they are repeated; each can be undone."""

from contextlib import suppress

import msgspec
import pytest
from engine.profile.merge import connected, link_id, still_joined, tombstone, unite, unmerge
from hypothesis import given
from hypothesis import strategies as st

from engine.profile.apply import apply_operations
from engine.profile.document import Link, Part, Profile, Standing, new_profile
from engine.profile.fold import fold
from engine.profile.operations import Refused, Set
from tests.engine.profile.histories import examples, joins, logs, operations, play, reference_of, steady
from tests.engine.profile.profiles import Profiles, exact

IDS = "ABC"
FIVE = "ABCDE"
X = ("traits", "x")


def link(left: str, right: str, cause: str = "k", claim: bool = False, undone: bool = False) -> Link:
    return Link(link_id(left, right, cause), left, right, cause, claim, undone)


def stored(id: str, created: int, version: int = 1) -> Profile:
    return msgspec.structs.replace(new_profile(id, created), version=version)


def test_a_link_has_the_same_id_in_either_order():
    assert link_id("a", "b", "k") == link_id("b", "a", "k")
    assert len({link_id("a", "b", "k"), link_id("a", "b", "j"), link_id("a", "c", "k"), link_id("ab", "", "k")}) == 4


@examples(120)
@given(
    logs(FIVE, operations, most=12),
    joins(FIVE, 8),
    st.randoms(use_true_random=False),
    st.lists(st.tuples(st.sampled_from("st"), st.sampled_from(FIVE)), max_size=2),
)
def test_links_in_any_order_and_repetition_make_the_same_profiles(log, links, random, marks):
    base, reference = Profiles(FIVE), reference_of(FIVE)
    play(reference, base, log)
    for join in links:
        reference.merge(*join)
    results = set()
    for _ in range(4):
        profiles = Profiles(FIVE)
        profiles.documents = dict(base.documents)
        todo = [*links, *random.choices(links, k=3)]
        random.shuffle(todo)
        for left, right, cause in todo:
            profiles.merge(*random.sample((left, right), 2), cause)
        for id in FIVE:
            assert profiles.of(id).id == reference.canonical(id)
            assert exact(profiles.read(id)) == exact(reference.read(id))
        results.add(msgspec.json.encode({id: profiles.of(id) for id in FIVE}))
    assert len(results) == 1  # byte for byte


@examples(80)
@given(logs(IDS), joins(IDS), st.randoms(use_true_random=False), st.lists(st.integers(0, 5), max_size=2))
def test_an_undone_link_stays_undone_however_often_it_is_repeated(log, links, random, undo):
    base, reference = Profiles(IDS), reference_of(IDS)
    play(reference, base, log)
    undone = {links[at % len(links)] for at in undo}
    for join in links:
        reference.merge(*join)
    for join in undone:
        reference.unmerge(*join)
    for _ in range(3):
        profiles = Profiles(IDS)
        profiles.documents = dict(base.documents)
        todo = [*links, *random.choices(links, k=2)]
        random.shuffle(todo)
        done = set()
        for join in todo:
            profiles.merge(*join)
            done.add(join)
            for late in undone & done:
                profiles.unmerge(*late)
        for id in IDS:
            assert set(profiles.of(id).parts) == reference.ids(id)
            assert profiles.of(id).id == reference.canonical(id)
            assert exact(profiles.read(id)) == exact(reference.read(id))


@examples(120)
@given(logs(IDS, steady, most=6), logs(IDS, steady, most=8))
def test_unmerging_restores_each_side_with_its_later_writes(past, later):
    reference, profiles = reference_of(IDS), Profiles(IDS)
    done = play(reference, profiles, past)
    reference.merge("A", "B", "k")
    profiles.merge("A", "B", "k")
    done += play(reference, profiles, later, 50)
    profiles.unmerge("A", "B", "k")
    for id in IDS:
        alone = Profiles(IDS)
        play(reference_of(IDS), alone, [entry for entry in done if entry[0] == id])
        assert exact(profiles.read(id)) == exact(alone.read(id))
    profiles.merge("A", "B", "k")
    assert profiles.of("A").ids == ("A",)
    profiles.merge("A", "B", "other")
    assert profiles.of("B").ids == ("A", "B")


@examples(60)
@given(logs(IDS), st.lists(logs(IDS, most=4), min_size=3, max_size=3), joins(IDS, 2))
def test_copies_unite_in_any_order(past, forks, links):
    """Three processes with old copies of one profile, each the only writer of one id."""
    profiles = Profiles(IDS)
    play(reference_of(IDS), profiles, past)
    for left, right in ("AB", "BC"):
        profiles.merge(left, right, "first")
    copies = []
    for id, log in zip(IDS, forks, strict=True):
        own = Profiles(IDS)
        own.documents = dict(profiles.documents)
        for _, now, ops in log:
            with suppress(Refused):
                own.commit(id, ops, 100 + now)
        for join in links:
            own.merge(*join)
        copies.append(own.of("A"))
    a, b, c = copies
    s = link("A", "B", "again")
    assert same(unite(a, b, s), unite(b, a, s))
    assert same(unite(unite(a, b, s), c, s), unite(a, unite(b, c, s), s))
    assert same(unite(unite(a, b, s), b, s), unite(a, b, s))


def same(one: Profile, other: Profile) -> bool:
    """Return whether two profiles have the same ids, parts, links and fold."""

    def content(profile: Profile) -> tuple:
        return profile.id, profile.created, profile.parts, profile.links, exact(fold(profile))

    return content(one) == content(other)


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
    for joined in (unite(one, other, link("a", "b")), unite(other, one, link("a", "b"))):
        assert (joined.id, joined.created, joined.version) == (survivor.id, survivor.created, survivor.version)
        assert set(joined.ids) == {"a", "b"}
        assert joined.ids[0] == winner


def test_a_merged_profile_belongs_to_the_segments_of_both_until_it_is_evaluated():
    one = msgspec.structs.replace(
        stored("a", 1), conditional=("vip",), standing={"vip": Standing(since=20)}, evaluated_at=30
    )
    standing = {"big": Standing(since=5, holds_since=3), "vip": Standing(since=10)}
    other = msgspec.structs.replace(
        stored("b", 2), conditional=("big", "vip"), standing=standing, evaluated_at=25, due=90
    )
    for united in (unite(other, one, link("a", "b")), unite(one, other, link("a", "b"))):
        assert united.conditional == ("big", "vip")
        assert united.standing == {"big": Standing(since=5, holds_since=3), "vip": Standing(since=10)}
        assert (united.evaluated_at, united.due) == (30, 0)


def test_split_profiles_belong_to_the_same_segments_until_they_are_evaluated():
    profiles = Profiles("AB")
    name = profiles.merge("A", "B", "k")
    standing = {"vip": Standing(since=20)}
    for left in unmerge(
        msgspec.structs.replace(profiles.of("A"), conditional=("vip",), standing=standing, evaluated_at=30), name
    ):
        assert (left.conditional, left.standing, left.evaluated_at, left.due) == (("vip",), standing, 30, 0)


def test_a_link_between_ids_of_one_profile_is_recorded():
    joined = unite(stored("a", 1), stored("b", 2), link("a", "b"))
    again = unite(joined, joined, link("b", "a", "other"))
    assert set(again.links) == {link_id("a", "b", "k"), link_id("a", "b", "other")}
    assert again.parts == joined.parts


def test_a_proof_wins_over_a_claim_for_the_same_cause():
    for first, second in ((True, False), (False, True)):
        joined = unite(stored("a", 1), stored("b", 2), link("a", "b", claim=first))
        assert unite(joined, joined, link("a", "b", claim=second)).links[link_id("a", "b", "k")].claim is False


def test_an_undone_link_joins_nothing():
    one = unmerge(unite(stored("a", 1), stored("b", 2), link("a", "b")), link_id("a", "b", "k"))[0]
    assert unite(one, stored("b", 2), link("a", "b")) is one


def test_a_tombstone_names_the_profile_that_it_was_merged_into():
    loser, _ = apply_operations(stored("b", 7, version=4), "b", [Set(X, 1)], 8)
    stone = tombstone(loser, "a")
    assert stone == Profile(id="b", created=7, version=6, merged_into="a")


def test_unmerging_splits_ids_that_only_the_undone_link_joined():
    joined = unite(stored("a", 1, 5), stored("b", 2, 3), link("a", "b"))
    joined = unite(joined, stored("c", 3, 2), link("b", "c"))
    first, second = unmerge(joined, link_id("a", "b", "k"))
    assert (first.ids, first.version, set(first.links)) == (("a",), 5, {link_id("a", "b", "k")})
    assert (second.ids, second.version, second.created) == (("b", "c"), 0, 2)
    assert {joined.cause: joined.undone for joined in second.links.values() if joined.left == "b"} == {"k": False}
    assert second.links[link_id("a", "b", "k")].undone
    assert still_joined(joined, link_id("a", "b", "k")) == ()


def test_unmerging_names_the_other_links_that_still_join_the_ids():
    joined = unite(stored("a", 1), stored("b", 2), link("a", "b"))
    joined = unite(joined, stored("c", 3), link("b", "c"))
    joined = unite(joined, joined, link("c", "a"))
    (left,) = unmerge(joined, link_id("a", "b", "k"))
    assert left.ids == ("a", "b", "c")
    assert left.links[link_id("a", "b", "k")].undone
    chain = still_joined(joined, link_id("a", "b", "k"))
    assert {each.id for each in chain} == {link_id("a", "c", "k"), link_id("b", "c", "k")}


def test_a_split_profile_keeps_its_id_even_if_the_part_of_that_id_is_younger():
    """That happens when its own document was stored before the other's."""
    joined = unite(stored("a", 9), new_profile("b", 1), link("a", "b"))
    joined = unite(joined, stored("c", 10), link("a", "c"))
    kept, _ = unmerge(joined, link_id("a", "b", "k"))
    assert (kept.id, kept.ids) == ("a", ("a", "c"))


def test_an_unknown_link_cannot_be_undone():
    with pytest.raises(KeyError):
        unmerge(stored("a", 1), "none")


def test_ids_are_connected_by_links_that_are_not_undone():
    links = {
        each.id: each
        for each in (link("a", "b"), link("b", "c", claim=True), link("c", "d"), link("a", "e", undone=True))
    }
    assert connected(links, "a") == {"a", "b", "c", "d"}
    assert connected(links, "a", proven=True) == {"a", "b"}
    assert connected(links, "e") == {"e"}
    assert connected({}, "x") == {"x"}


def test_uniting_two_copies_of_a_part_keeps_the_newer():
    old = stored("a", 1)
    new, _ = apply_operations(old, "a", [Set(X, 1)], 5)
    for one, other in ((old, new), (new, old)):
        joined = unite(one, other, link("a", "b"))
        assert joined.parts["a"] is new.parts["a"]
        assert joined.version == new.version


def test_a_part_that_no_link_names_becomes_a_profile_of_its_own():
    joined = unite(stored("a", 1), stored("b", 2), link("a", "b"))
    odd = msgspec.structs.replace(joined, parts={**joined.parts, "z": Part(id="z", created=0)})
    assert [each.id for each in unmerge(odd, link_id("a", "b", "k"))] == ["a", "z", "b"]
