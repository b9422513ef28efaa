"""A profile is the fold of its parts."""

from contextlib import suppress
from itertools import pairwise
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.buckets import total
from engine.profile.apply import apply_operations
from engine.profile.document import LIST_CAP, Members, Part, Profile, new_profile
from engine.profile.fold import fold, fold_parts
from engine.profile.operations import Add, Append, Increment, Refused, Set, Unset
from tests.engine.profile.histories import examples, joins, logs, play, reference_of, steady
from tests.engine.profile.profiles import Profiles, exact
from tests.engine.profile.reference import ReferenceProfiles

IDS = "ABC"
A, N = ("traits", "address"), ("traits", "n")


def joined(ids: str = IDS) -> Profiles:
    profiles = Profiles(ids)
    for left, right in pairwise(ids):
        profiles.merge(left, right, "k")
    return profiles


def joined_reference() -> ReferenceProfiles:
    reference = reference_of(IDS)
    reference.merge("A", "B", "k")
    reference.merge("B", "C", "k")
    return reference


def test_a_new_profile_shows_nothing():
    assert fold(new_profile("p", 5)) == {}


@examples(80)
@given(logs(IDS), joins(IDS, 3), logs(IDS, most=4))
def test_a_profile_decoded_from_json_reads_the_same(past, links, later):
    profiles = Profiles(IDS)
    play(reference_of(IDS), profiles, past)
    for link in links:
        profiles.merge(*link)
    for id, now, ops in later:
        with suppress(Refused):
            profiles.commit(id, ops, now)
    for profile in profiles.documents.values():
        again = msgspec.json.decode(msgspec.json.encode(profile), type=Profile)
        assert again == profile
        assert exact(fold(again)) == exact(fold(profile))


@examples(80)
@given(logs(IDS), st.randoms(use_true_random=False))
def test_the_order_of_parts_and_cells_makes_no_difference(log, random):
    profiles = joined()
    play(joined_reference(), profiles, log)
    parts = list(profiles.of("A").parts.values())
    assert exact(fold_parts([_shuffled(part, random) for part in random.sample(parts, 3)])) == exact(profiles.read("A"))


@examples(120)
@given(logs(IDS), joins(IDS, 3), logs(IDS, most=8))
def test_a_part_alone_reads_the_same_as_beside_an_empty_part(past, links, later):
    profiles = Profiles(IDS)
    play(reference_of(IDS), profiles, past)
    for link in links:
        profiles.merge(*link)
    for id, now, ops in later:
        with suppress(Refused):
            profiles.commit(id, ops, 100 + now)
    nothing = Part(id="Z", created=0)
    for profile in profiles.documents.values():
        for part in profile.parts.values():
            assert exact(fold_parts([part])) == exact(fold_parts([part, nothing]))


def test_a_set_shows_although_a_list_was_written_below_the_same_path():
    profiles = Profiles("AB")
    profiles.commit("B", [Append((*N, "x"), 0)], 10)
    profiles.commit("A", [Add(N, "m")], 20)
    profiles.merge("A", "B", "k")
    profiles.commit("B", [Add(N, "p")], 30)
    profiles.unmerge("A", "k")
    assert exact(profiles.read("B")) == exact({"traits": {"n": Members(("p",))}})


def _shuffled(part: Part, random: Random) -> Part:
    cells = list(part.cells.items())
    random.shuffle(cells)
    return msgspec.structs.replace(part, cells=dict(cells))


@examples(100)
@given(logs(IDS, steady), st.lists(st.integers(1, 5), min_size=3, max_size=3))
def test_counters_of_profiles_that_merge_for_the_first_time_add_up(log, amounts):
    profiles = Profiles(IDS)
    for id, amount in zip(IDS, amounts, strict=True):
        profiles.commit(id, [Increment(N, amount)], 0)
    profiles.commit("A", [Set(N, 100)], 9)  # B and C keep their counts
    profiles.merge("A", "B", "k")
    profiles.merge("B", "C", "k")
    assert profiles.read("A")["traits"]["n"] == 100 + amounts[1] + amounts[2]
    profiles.commit("B", [Unset(N)], 20)
    assert profiles.read("A") == {}
    profiles.commit("C", [Increment(N, 1)], 20)
    assert profiles.read("A")["traits"]["n"] == 1


def test_two_numbers_that_were_set_do_not_add_up():
    profiles = Profiles("AB")
    profiles.commit("A", [Set(N, 30)], 10)
    profiles.commit("B", [Set(N, 40)], 20)
    profiles.merge("A", "B", "k")
    assert profiles.read("A") == {"traits": {"n": 40}}


def test_a_write_supersedes_older_writes_at_and_below_its_path():
    profiles = joined()
    profiles.commit("A", [Set(A, {"city": "u", "zip": 1})], 1)
    profiles.commit("B", [Set((*A, "city"), "v")], 1)
    assert profiles.read("A") == {"traits": {"address": {"city": "v", "zip": 1}}}
    profiles.commit("C", [Unset(A)], 1)
    assert profiles.read("A") == {}
    profiles.commit("B", [Set((*A, "zip"), 2)], 1)
    assert profiles.read("A") == {"traits": {"address": {"zip": 2}}}


@pytest.mark.parametrize(
    ("older", "newer", "shown"),
    [
        pytest.param(Set(N, "x"), Set((*N, "y"), 1), {"y": 1}, id="an object over a text"),
        pytest.param(Set((*N, "y"), 1), Set(N, "x"), "x", id="a text over an object"),
        pytest.param(Add(N, "m"), Append(N, 1), [1], id="a list over a set"),
        pytest.param(Append(N, 1), Add(N, "m"), Members(("m",)), id="a set over a list"),
        pytest.param(Set(N, "x"), Increment(N, 2), 2, id="a counter over a text"),
        pytest.param(Increment(N, 2), Set(N, "x"), "x", id="a text over a counter"),
        pytest.param(Set(N, None), Increment(N, 2), 2, id="a counter over null"),
        pytest.param(Add(N, "m"), Add(N, "n"), Members(("m", "n")), id="two sets are one"),
        pytest.param(Append(N, 1), Append(N, 2), [1, 2], id="two lists are one, by time"),
    ],
)
def test_if_merged_parts_differ_in_kind_the_newest_kind_shows(older, newer, shown):
    profiles = Profiles("AB")
    profiles.commit("B", [older], 10)
    profiles.commit("A", [newer], 20)
    profiles.merge("A", "B", "k")
    assert exact(profiles.read("A")["traits"]["n"]) == exact(shown)


def test_a_merged_list_keeps_the_newest():
    profiles = Profiles("AB")
    profiles.commit("A", [Set(N, list(range(LIST_CAP)))], 10)
    profiles.commit("B", [Set(N, ["x", "y"])], 20)
    profiles.merge("A", "B", "k")
    assert profiles.read("A")["traits"]["n"] == ["x", "y"]  # a set value replaces what is older
    profiles = Profiles("AB")
    profiles.commit("A", [Set(N, list(range(LIST_CAP)))], 20)
    profiles.commit("B", [Append(N, "x")], 30)
    profiles.merge("A", "B", "k")
    assert profiles.read("A")["traits"]["n"] == [*range(1, LIST_CAP), "x"]


def test_a_list_in_one_part_is_read_in_the_order_of_its_stamps():
    profile = new_profile("p", 0)
    for now in (5, 90, 1000):
        profile, _ = apply_operations(profile, "p", [Append(N, now), Append(N, now + 1)], now)
    (part,) = profile.parts.values()
    turned = msgspec.structs.replace(part, cells=dict(reversed(part.cells.items())))
    assert fold_parts([turned])["traits"]["n"] == [5, 6, 90, 91, 1000, 1001]


def test_sums_of_integers_are_integers_and_sums_of_fractions_do_not_depend_on_order():
    assert type(total([1, 2])) is int
    assert total([0.1, 0.2, 0.3, 1]) == total([1, 0.3, 0.2, 0.1])
