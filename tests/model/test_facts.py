"""The rules of who is joined with whom, on facts in the order of their commits."""

import itertools

import pytest

from tests.model.facts import Alias, AliasById, Brings, Fact, Forget, Login, Standing, Undo, Visit
from tests.model.rules import Link, key_link


def together(*facts: Fact) -> set[frozenset[str]]:
    """The profiles after these facts."""
    return Standing(facts).together()


def sets(*groups: str) -> set[frozenset[str]]:
    """Profiles, each as words: `sets("A B", "C")`."""
    return {frozenset(group.split()) for group in groups}


CASES: dict[str, tuple[list[Fact], set[frozenset[str]]]] = {
    "claims of one key join": ([Brings("A", "e", "claim"), Brings("B", "e", "claim")], sets("A B")),
    "proofs of one key join": ([Brings("A", "e", "proof"), Brings("B", "e", "proof")], sets("A B")),
    "a claim does not join a proof": ([Brings("A", "e", "proof"), Brings("S", "e", "claim")], sets("A", "S")),
    "a proof sets its id apart from those that claims joined": (
        [Brings("A", "e", "claim"), Brings("B", "e", "claim"), Brings("C", "e", "claim"), Brings("A", "k", "proof")],
        sets("A", "B C"),
    ),
    "what is proven of two keys joins their ids": (
        [Brings("A", "e", "proof"), Brings("B", "k", "proof"), Brings("T", "e", "proof"), Brings("T", "k", "proof")],
        sets("A B T"),
    ),
    "a link that is undone joins no ids": (
        [Brings("A", "e", "proof"), Brings("B", "e", "proof"), Undo("A", key_link("e", "proof"))],
        sets("A", "B"),
    ),
    "what was proven and is undone does not make claims hold again": (
        [
            Brings("S", "k", "claim"),
            Brings("A", "k", "claim"),
            Brings("A", "e", "proof"),
            Undo("A", key_link("e", "proof")),
            Brings("A", "k", "claim"),
        ],
        sets("A", "S"),
    ),
    "a link that is undone is not taken again": (
        [
            Brings("A", "e", "claim"),
            Brings("B", "e", "claim"),
            Undo("A", key_link("e", "claim")),
            Brings("A", "e", "claim"),
        ],
        sets("A", "B"),
    ),
    "forgetting joins no ids": (
        [
            Brings("S", "e", "claim"),
            Brings("T", "k", "claim"),
            Brings("A", "e", "claim"),
            Brings("A", "k", "claim"),
            Brings("A", "e", "proof"),
            Forget("A"),
            Visit("A"),
        ],
        sets("S", "T"),
    ),
    "an anonymous device belongs to its first user": (
        [Visit("D"), Login("D", "1", "claim"), Login("D", "2", "claim")],
        sets("D D/1", "D/2"),
    ),
    "a user is one profile on all devices": ([Login("D", "1", "proof"), Login("E", "1", "proof")], sets("D D/1 E E/1")),
    "a proven address does not outweigh a user": (
        [Login("D", "1", "claim"), Login("E", "2", "proof"), Brings("E/2", "e", "proof"), Brings("D/1", "e", "proof")],
        sets("D D/1", "E E/2"),
    ),
    "an alias joins two users": (
        [Login("D", "1", "proof"), Login("E", "2", "proof"), Alias("D", "1", "2", "proof")],
        sets("D D/1 E E/2"),
    ),
    "a hand-over sets the next user apart": (
        [Login("K", "1", "proof"), Login("K/1", "2", "proof")],
        sets("K K/1", "K/1/2"),
    ),
    "a hand-over from an anonymous device takes it along": ([Visit("K"), Login("K", "2", "claim")], sets("K K/2")),
    "an alias by id joins by a claim while both are bare": (
        [Visit("A"), Visit("B"), AliasById("A", "B", "claim"), Brings("B", "e", "proof")],
        sets("A", "B"),
    ),
    "an alias by id joins by a proof": ([Visit("A"), Visit("B"), AliasById("A", "B", "proof")], sets("A B")),
    "an alias to an id that is not stored joins none": ([Visit("A"), AliasById("A", "B", "proof")], sets("A")),
}


@pytest.mark.parametrize("name", CASES)
def test_together(name: str) -> None:
    facts, expected = CASES[name]
    assert together(*facts) == expected


def test_the_order_of_claims_and_proofs_of_ordinary_keys_does_not_matter() -> None:
    facts = [
        Brings("A", "e", "claim"),
        Brings("B", "e", "claim"),
        Brings("C", "e", "claim"),
        Brings("A", "k", "proof"),
    ]
    for order in itertools.permutations(facts):
        assert together(*order) == sets("A", "B C")


def test_two_users_of_one_device_stay_two_in_every_order() -> None:
    facts: list[Fact] = [
        Visit("D"),
        Login("D", "1", "claim"),
        Login("D", "2", "proof"),
        Login("D", "1", "proof"),
        Login("E", "1", "proof"),
        Login("E", "2", "claim"),
    ]
    for order in itertools.permutations(facts):
        groups = together(*order)
        first = next(fact.user for fact in order if isinstance(fact, Login) and fact.visitor == "D")
        of = {id: group for group in groups for id in group}
        assert "D" in of[f"D/{first}"]
        assert "D/2" not in of["D/1"]
        assert "E/1" in of["D/1"]
        assert "E/2" not in of["D/2"]  # one is proven, the other claimed


def test_claims_do_not_count_against_a_proof() -> None:
    strangers = [Brings(f"s{number}", "e", "claim") for number in range(25)]
    standing = Standing([*strangers, Brings("A", "e", "proof"), Brings("B", "e", "proof")])
    assert frozenset({"A", "B"}) in standing.together()
    assert standing.proven() == {"A", "B"}


def test_links_tell_what_holds() -> None:
    standing = Standing([Login("D", "1", "claim"), Brings("D", "e", "proof"), Brings("D", "k", "claim")])
    assert standing.holding() == {("D", Link("D/1", "own")), ("D", Link("!e", "proof"))}
    assert standing.proven() == {"D", "D/1"}
