"""Every order of up to six merges gives the same profiles, to the digest."""

from itertools import permutations

import pytest

from engine.profile.digest import digest
from engine.profile.operations import Add, Append, Increment, Set, Unset
from tests.engine.profile.profiles import People

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
def before() -> People:
    """Profiles that have something of everything."""
    people = People(IDS, RULES)
    for turn, id in enumerate(IDS):
        ops = [Set(NAME, id), Increment(N, turn), Add(ALSO, id), Append(SEEN, turn), Set(("traits", "first"), id)]
        people.commit(id, [*ops, Set(("traits", "most"), turn % 3), Set(("traits", "least"), turn % 4)], 10 + turn)
    people.commit("D", [Unset(NAME), Set(N, 7)], 30)
    return people


@pytest.mark.parametrize("size", range(1, 7))
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_order_of_merges_gives_the_same_digest(before: People, shape: list[Merge], size: int) -> None:
    found = set()
    for order in permutations(shape[:size]):
        people = People("", RULES)
        people.documents = dict(before.documents)
        for merge in order:
            people.merge(*merge)
        found.add(tuple(digest(people.of(id), RULES) for id in IDS))
    assert len(found) == 1


def test_what_differs_has_another_digest(before: People) -> None:
    people = People("", RULES)
    people.documents = dict(before.documents)
    told = [digest(people.of("A"), RULES)]
    people.merge("A", "B", "k", claim=True)
    told.append(digest(people.of("A"), RULES))
    people.merge("A", "B", "k")
    told.append(digest(people.of("A"), RULES))
    people.commit("B", [Set(NAME, "new")], 50)
    told.append(digest(people.of("A"), RULES))
    people.unmerge("A", "B", "k")
    told += [digest(people.of("A"), RULES), digest(people.of("B"), RULES)]
    assert len(set(told)) == 6
