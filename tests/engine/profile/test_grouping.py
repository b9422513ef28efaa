"""The documents that groups of ids make: nothing is lost, and tombstones lead to a lower rank only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.profile.document import Link, LinkKind, Part, Profile, Standing, new_profile
from engine.profile.grouping import Regrouped, left_keys, redirected, regroup, tombstone, versioned
from engine.profile.linking import Pool, groups, is_one_group, key_link, link_id, new_link, undo
from tests.engine.profile.histories import examples, logs, operations, play, reference_of, steady
from tests.engine.profile.profiles import Profiles, exact

IDS = "ABCDE"
keys = st.sampled_from(["k", "j"])
kinds: st.SearchStrategy[LinkKind] = st.sampled_from(["claim", "claim", "proof"])
facts = st.lists(st.tuples(st.sampled_from(IDS), keys, kinds), min_size=1, max_size=10)


def stored(id: str, created: int, version: int = 1) -> Profile:
    return replace(new_profile(id, created), version=version)


def joined(*documents: Profile, links: tuple[Link, ...] = (), acting_id: str | None = None) -> Regrouped:
    """Return the documents of profiles whose own ids all prove one key, or have these links."""
    pool = Pool.of(*documents)
    for link in links or [new_link(document.id, "proof", "k") for document in documents]:
        pool = pool.with_link(link)
    return regroup(pool, documents, acting_id)


# ---- whole histories -------------------------------------------------------------------------------------------------


@examples(120)
@given(logs(IDS, operations, most=10), facts, st.lists(st.integers(0, 20), max_size=3), facts)
def test_every_id_stays_in_one_document_that_is_one_group_and_has_the_lowest_of_its_ranks(log, facts, undone, later):
    profiles, reference = Profiles(IDS), reference_of(IDS)
    play(reference, profiles, log)
    for id, key, kind in facts:
        profiles.bring(id, key, kind)
        reference.bring(id, key, kind)
    for at in undone:
        id, key, kind = facts[at % len(facts)]
        if (id, key, kind) in reference.brought:
            profiles.unmerge(id, key, kind)
            reference.unmerge(id, key, kind)
    for id, key, kind in later:
        profiles.bring(id, key, kind)
        reference.bring(id, key, kind)
    for id in IDS:
        profile = profiles.of(id)
        assert set(profile.parts) == reference.ids(id)
        assert (profile.id, is_one_group(profile)) == (reference.canonical(id), True)
        assert exact(profiles.read(id)) == exact(reference.read(id))
        for other in profile.ids[1:]:
            leads_to = profiles.documents[other].merged_into
            assert leads_to is not None
            assert (profiles.documents[leads_to].created, leads_to) < (profiles.documents[other].created, other)


@examples(80)
@given(logs("ABC", steady, most=6), logs("ABC", steady, most=8))
def test_undoing_restores_each_side_with_its_later_writes(past, later):
    reference, profiles = reference_of("ABC"), Profiles("ABC")
    done = play(reference, profiles, past)
    reference.merge("A", "B", "k")
    profiles.merge("A", "B", "k")
    done += play(reference, profiles, later, 50)
    profiles.unmerge("A", "k")
    for id in "ABC":
        alone = Profiles("ABC")
        play(reference_of("ABC"), alone, [entry for entry in done if entry[0] == id])
        assert exact(profiles.read(id)) == exact(alone.read(id))
    profiles.merge("A", "B", "k")
    assert profiles.of("A").ids == ("A",)
    profiles.merge("A", "B", "other")
    assert profiles.of("B").ids == ("A", "B")


@examples(80)
@given(facts, st.sampled_from(IDS))
def test_regrouping_loses_no_part_and_no_link_of_the_documents_that_it_replaces(facts, acting_id):
    documents = [stored(id, turn) for turn, id in enumerate(IDS)]
    pool = Pool.of(*documents)
    for id, key, kind in facts:
        pool = pool.with_link(new_link(id, kind, key_link(key, kind)))
    regrouped = regroup(pool, documents, acting_id)
    written = [id for profile in regrouped.profiles for id in profile.parts]
    assert sorted(written) == sorted(regrouped.ids) == sorted(id for each in regrouped.documents for id in each.parts)
    for profile in regrouped.profiles:
        assert frozenset(profile.parts) in groups(pool)
        assert profile.links == {each.id: each for each in pool.links.values() if each.left in profile.parts}
    untouched = {document.id for document in documents} - {document.id for document in regrouped.documents}
    assert not any(link.left in untouched for link in pool.links.values())


# ---- names and versions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "winner"),
    [
        pytest.param(stored("b", 1), stored("a", 2), "b", id="the older one stays"),
        pytest.param(stored("b", 1), stored("a", 1), "a", id="of two as old the smaller id"),
        pytest.param(stored("b", 9), new_profile("a", 1), "b", id="one not yet stored counts as created last"),
        pytest.param(new_profile("b", 2), new_profile("a", 3), "b", id="two not yet stored"),
    ],
)
def test_a_joined_profile_has_the_lowest_id_of_its_ranks(one: Profile, other: Profile, winner: str) -> None:
    survivor = {one.id: one, other.id: other}[winner]
    for documents in ((one, other), (other, one)):
        regrouped = joined(*documents)
        (profile,) = regrouped.profiles
        assert (profile.id, profile.created, profile.version) == (survivor.id, survivor.created, survivor.version)
        assert profile.ids == (winner, *{"a", "b"} - {winner})
        (stone,) = redirected(regrouped, {})
        loser = other if survivor is one else one
        assert (stone.id, stone.merged_into, stone.version) == (loser.id, winner, loser.version + 1)


def test_an_id_that_was_not_stored_ranks_behind_the_winner_also_once_it_is_set_apart() -> None:
    (profile,) = joined(stored("b", 9), new_profile("a", 1)).profiles
    assert profile.parts["a"].created == 10
    profile = replace(profile, version=2)
    apart = regroup(undo(Pool.of(profile), link_id("b", "proof", "k"), 20), (profile,), "b").of("a")
    assert (apart.id, apart.created, apart.version) == ("a", 10, 0)


def test_a_profile_that_is_set_apart_is_named_by_the_lowest_rank_of_its_ids() -> None:
    claims = tuple([new_link(id, "claim", "?k") for id in "abc"])
    (profile,) = joined(stored("c", 1, 4), stored("b", 2), stored("a", 3), links=claims).profiles
    profile = replace(profile, version=5)
    pool = Pool.of(profile).with_link(replace(claims[2], ceased=9))
    regrouped = regroup(pool, (profile,), "a")
    assert [(each.id, each.ids, each.version) for each in regrouped.profiles] == [
        ("c", ("c",), 5),
        ("b", ("b", "a"), 0),
    ]
    there = {"c": profile, "b": tombstone(stored("b", 2), "c"), "a": tombstone(stored("a", 3), "c")}
    assert versioned(regrouped, there) == {"c": 5, "b": 2, "a": 2}
    assert redirected(regrouped, there) == [Profile(id="a", created=3, version=3, merged_into="b")]


def test_a_tombstone_that_leads_to_the_profile_already_is_not_written_again() -> None:
    (profile,) = joined(stored("a", 1), stored("b", 2), stored("c", 3)).profiles
    profile = replace(profile, version=2)
    there = {"a": profile, "b": tombstone(stored("b", 2), "a"), "c": tombstone(stored("c", 3), "a")}
    regrouped = regroup(undo(Pool.of(profile), link_id("c", "proof", "k"), 9), (profile,), "a")
    assert [each.ids for each in regrouped.profiles] == [("a", "b"), ("c",)]
    assert redirected(regrouped, there) == []


def test_documents_that_stay_as_they_are_are_left_out() -> None:
    one, other, third = stored("a", 1), stored("b", 2), stored("c", 3)
    links = (new_link("b", "proof", "k"), new_link("c", "proof", "k"))
    regrouped = joined(one, other, third, links=links, acting_id="b")
    assert [document.id for document in regrouped.documents] == ["b", "c"]
    assert [profile.ids for profile in regrouped.profiles] == [("b", "c")]
    alone = joined(one, other, links=(new_link("c", "proof", "k"),), acting_id="a")
    assert [profile.id for profile in alone.profiles] == ["a"]


def test_a_new_link_of_a_profile_is_a_change_of_its_document() -> None:
    regrouped = joined(stored("a", 1), stored("b", 2), links=(new_link("b", "proof", "k"),), acting_id="a")
    assert [profile.id for profile in regrouped.profiles] == ["a", "b"]


def test_the_profile_of_an_id_is_found() -> None:
    regrouped = joined(stored("a", 1), stored("b", 2), links=(new_link("b", "proof", "k"),), acting_id="a")
    assert (regrouped.of("b").id, regrouped.sets_apart) == ("b", True)


def test_of_two_copies_of_a_document_the_version_of_the_older_one_is_expected() -> None:
    old = stored("a", 1, 4)
    new = replace(old, version=6, parts={"a": Part("a", 1, last=9)})
    regrouped = regroup(Pool.of(old, new, stored("b", 2)).with_link(new_link("a", "proof", "k")), (new, old), "a")
    assert versioned(regrouped, {})["a"] == 4
    assert regrouped.profiles[0].parts["a"] is new.parts["a"]


def test_a_tombstone_names_the_profile_that_it_was_merged_into() -> None:
    assert tombstone(stored("b", 7, 5), "a") == Profile(id="b", created=7, version=6, merged_into="a")


# ---- segments --------------------------------------------------------------------------------------------------------


def test_a_joined_profile_belongs_to_the_segments_of_both_until_it_is_evaluated() -> None:
    one = replace(stored("a", 1), conditional=("vip",), standing={"vip": Standing(since=20)}, evaluated_at=30)
    standing = {"big": Standing(since=5, holds_since=3), "vip": Standing(since=10)}
    other = replace(stored("b", 2), conditional=("big", "vip"), standing=standing, evaluated_at=25, due=90)
    for documents in ((one, other), (other, one)):
        (profile,) = joined(*documents).profiles
        assert profile.conditional == ("big", "vip")
        assert profile.standing == {"big": Standing(since=5, holds_since=3), "vip": Standing(since=10)}
        assert (profile.evaluated_at, profile.due) == (30, 0)


def test_profiles_that_are_set_apart_belong_to_the_same_segments_until_they_are_evaluated() -> None:
    standing = {"vip": Standing(since=20)}
    (profile,) = joined(stored("a", 1), stored("b", 2)).profiles
    profile = replace(profile, conditional=("vip",), standing=standing, evaluated_at=30)
    for each in regroup(undo(Pool.of(profile), link_id("b", "proof", "k"), 9), (profile,), "a").profiles:
        assert (each.conditional, each.standing, each.evaluated_at, each.due) == (("vip",), standing, 30, 0)


# ---- keys that are left ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        pytest.param("a", [("?k", "b", ("a",))], id="the first one leaves"),
        pytest.param("b", [("?k", "a", ("b",))], id="another one leaves"),
        pytest.param("", [], id="nobody leaves"),
        pytest.param("abc", [], id="all leave: the key stays where it is"),
    ],
)
def test_the_keys_of_those_who_leave_are_left_to_the_first_who_stays(gone: str, left: list[object]) -> None:
    before = Pool.of(*[stored(id, 1) for id in "abc"])
    for id in "abc":
        before = before.with_link(new_link(id, "claim", "?k"))
    after = before
    for id in gone:
        after = after.with_link(replace(before.links[link_id(id, "claim", "?k")], ceased=5))
    assert left_keys(before, after) == left


def test_a_link_between_two_ids_leaves_no_key() -> None:
    before = Pool.of(stored("a", 1), stored("b", 2)).with_link(new_link("a", "proof", "b"))
    assert left_keys(before, undo(before, link_id("a", "proof", "b"), 5)) == []
