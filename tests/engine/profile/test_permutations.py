"""Every order of up to six merges makes profiles with the same digests."""

from itertools import pairwise, permutations

import pytest

from engine.profile.declared import Fields
from engine.profile.digest import digest
from engine.profile.operations import Add, Append, Increment, Operation, Set, Unset
from tests.engine.profile.profiles import Profiles

IDS = "ABCDEFG"
NAME, N, ALSO, SEEN = ("traits", "name"), ("traits", "n"), ("traits", "also"), ("traits", "seen")
RULES: Fields = {("traits", "first"): "oldest", ("traits", "most"): "max", ("traits", "least"): "min"}

Merge = tuple[str, str, str]  # two ids that bring a key

SHAPES: dict[str, list[Merge]] = {
    "chain": [(left, right, f"{left}{right}") for left, right in pairwise(IDS)],
    "star of keys": [("A", other, other) for other in "BCDEFG"],
    "one key": [("A", "B", "k"), ("C", "D", "k"), ("E", "F", "k"), ("F", "G", "k"), ("G", "A", "k"), ("B", "D", "k")],
    "cycle": [(left, right, f"{left}{right}") for left, right in pairwise("ABCDEFA")],
    "two that meet": [
        ("A", "B", "k"), ("B", "C", "k"), ("E", "F", "l"), ("F", "G", "l"), ("C", "E", "j"), ("G", "A", "i"),
    ],
    "by several keys": [
        ("A", "B", "k"), ("A", "B", "j"), ("B", "A", "i"), ("B", "C", "k"), ("C", "B", "l"), ("C", "A", "j"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def before() -> Profiles:
    """Profiles with values of every kind."""
    profiles = Profiles(IDS, RULES)
    for turn, id in enumerate(IDS):
        ops: list[Operation] = [
            Set(NAME, id),
            Increment(N, turn),
            Add(ALSO, id),
            Append(SEEN, turn),
            Set(("traits", "first"), id),
        ]
        profiles.commit(id, [*ops, Set(("traits", "most"), turn % 3), Set(("traits", "least"), turn % 4)], 10 + turn)
    profiles.commit("D", [Unset(NAME), Set(N, 7)], 30)
    return profiles


@pytest.mark.parametrize("size", range(1, 7))
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_order_of_merges_gives_the_same_digest(before: Profiles, shape: list[Merge], size: int) -> None:
    results = set()
    for order in permutations(shape[:size]):
        profiles = Profiles("", RULES)
        profiles.documents = dict(before.documents)
        for merge in order:
            profiles.merge(*merge)
        results.add(tuple(digest(profiles.of(id), RULES) for id in IDS))
    assert len(results) == 1


def test_different_profiles_have_different_digests(before: Profiles) -> None:
    profiles = Profiles("", RULES)
    profiles.documents = dict(before.documents)
    digests = [digest(profiles.of("A"), RULES)]
    profiles.merge("A", "B", "k", claim=True)
    digests.append(digest(profiles.of("A"), RULES))
    profiles.merge("A", "B", "k")
    digests.append(digest(profiles.of("A"), RULES))
    profiles.commit("B", [Set(NAME, "new")], 50)
    digests.append(digest(profiles.of("A"), RULES))
    profiles.unmerge("A", "k")
    digests += [digest(profiles.of("A"), RULES), digest(profiles.of("B"), RULES)]
    assert len(set(digests)) == 6
