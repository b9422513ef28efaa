"""Every order of up to six merges makes profiles with the same digests."""

from itertools import permutations

import pytest

from engine.profile.digest import digest
from engine.profile.operations import Add, Append, Increment, Set, Unset
from tests.engine.profile.profiles import Profiles

IDS = "ABCDEFG"
NAME, N, ALSO, SEEN = ("traits", "name"), ("traits", "n"), ("traits", "also"), ("traits", "seen")
RULES = {("traits", "first"): "oldest", ("traits", "most"): "max", ("traits", "least"): "min"}

Merge = tuple[str, str, str]

SHAPES: dict[str, list[Merge]] = {
    "chain": [("A", "B", "k"), ("B", "C", "k"), ("C", "D", "k"), ("D", "E", "k"), ("E", "F", "k"), ("F", "G", "k")],
    "star": [("A", other, "k") for other in "BCDEFG"],
    "cycle": [("A", "B", "k"), ("B", "C", "k"), ("C", "D", "k"), ("D", "E", "k"), ("E", "F", "k"), ("F", "A", "k")],
    "two that meet": [
        ("A", "B", "k"), ("B", "C", "k"), ("E", "F", "k"), ("F", "G", "k"), ("C", "E", "j"), ("G", "A", "j"),
    ],
    "for several causes": [
        ("A", "B", "k"), ("A", "B", "j"), ("B", "A", "alias"), ("B", "C", "k"), ("C", "B", "k"), ("C", "A", "j"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def before() -> Profiles:
    """Profiles with values of every kind."""
    profiles = Profiles(IDS, RULES)
    for turn, id in enumerate(IDS):
        ops = [Set(NAME, id), Increment(N, turn), Add(ALSO, id), Append(SEEN, turn), Set(("traits", "first"), id)]
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
    profiles.unmerge("A", "B", "k")
    digests += [digest(profiles.of("A"), RULES), digest(profiles.of("B"), RULES)]
    assert len(set(digests)) == 6
