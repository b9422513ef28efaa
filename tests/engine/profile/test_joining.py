"""The record of a key that an id brings: links, and the id to which the key leads."""

import pytest
from msgspec.structs import replace

from engine.profile.document import LinkKind, Profile, new_profile
from engine.profile.joining import Brought, Joined, bring, join_ids, link_rules
from engine.profile.key import KeyRules
from engine.profile.linking import LinkRules, Pool, key_link, link_id, new_link, undo

EMAIL = "pii.email:1"
USER = "traits.user"
RULES = LinkRules(exclusive=frozenset({USER}), max_per_key=2)


def profile(id: str, *links: tuple[LinkKind, str]) -> Profile:
    """Return a stored profile with one id that has these links."""
    made = [new_link(id, kind, key_link(cause, kind)) for kind, cause in links]
    return replace(new_profile(id, 1), version=1, links={link.id: link for link in made})


def brought(kind: LinkKind, own: Profile, holder: Profile | None, cause: str = EMAIL) -> Joined:
    key = Brought(cause, kind, holder.id if holder else None, holder)
    return bring(Pool.of(own), own.id, key, RULES, 9)


def recorded(joined: Joined) -> list[tuple[str, str, str]]:
    return [(link.left, link.kind, link.right) for link in joined.links]


@pytest.mark.parametrize(
    ("kind", "cause", "links"),
    [
        pytest.param("claim", EMAIL, [], id="a claim: the key alone leads to it"),
        pytest.param("proof", EMAIL, [("a", "proof", EMAIL)], id="a proof"),
        pytest.param("claim", f"{USER}:1", [("a", "claim", f"?{USER}:1")], id="a claim of an exclusive key"),
    ],
)
def test_a_new_key_leads_to_the_first_id_that_brings_it(kind: LinkKind, cause: str, links: list[object]) -> None:
    joined = brought(kind, profile("a"), None, cause)
    assert (recorded(joined), joined.holds_key, joined.over, joined.joins) == (links, True, (), False)
    assert joined.verdict.taken


@pytest.mark.parametrize(("kind", "key"), [("claim", f"?{EMAIL}"), ("proof", EMAIL)])
def test_the_second_id_is_joined_and_the_first_ones_link_is_recorded_with_it(kind: LinkKind, key: str) -> None:
    joined = brought(kind, profile("a"), profile("b"))
    assert recorded(joined) == [("b", kind, key), ("a", kind, key)]
    assert (joined.holds_key, joined.joins) == (False, True)


@pytest.mark.parametrize("kind", ["claim", "proof"])
def test_a_repeat_records_nothing(kind: LinkKind) -> None:
    first = brought(kind, profile("a"), profile("b"))
    again = bring(first.pool, "a", Brought(EMAIL, kind, "b", profile("b")), RULES, 9)
    assert (again.verdict.taken, recorded(again), again.holds_key, again.joins) == (True, [], False, False)
    alone = brought(kind, profile("a", ("proof", EMAIL)) if kind == "proof" else profile("a"), profile("a"))
    assert (alone.verdict.taken, recorded(alone), alone.holds_key, alone.joins) == (True, [], False, False)


def test_a_holder_whose_link_was_undone_loses_the_key() -> None:
    own = profile("b", ("proof", EMAIL))
    pool = undo(Pool.of(own), link_id("b", "proof", EMAIL), 5)
    joined = brought("proof", profile("a"), replace(own, links=dict(pool.links)))
    assert (recorded(joined), joined.holds_key, joined.over) == ([("a", "proof", EMAIL)], True, ("b",))
    assert not joined.joins


def test_a_holder_who_is_proven_loses_the_claimed_key() -> None:
    joined = brought("claim", profile("a"), profile("b", ("proof", "pii.phone:1")))
    assert (joined.verdict.taken, joined.holds_key, joined.over, joined.joins) == (True, True, ("b",), False)


def test_a_key_that_cannot_be_taken_leads_nowhere_else() -> None:
    joined = brought("claim", profile("a", ("proof", "pii.phone:1")), profile("b"))
    assert (joined.verdict.refused, joined.links, joined.holds_key, joined.over) == ("proven", (), False, ())
    two = brought("proof", profile("a", ("proof", f"{USER}:1")), profile("b", ("proof", EMAIL), ("proof", f"{USER}:2")))
    assert (two.verdict.refused, two.verdict.values) == ("other", (f"{USER}:1", f"{USER}:2"))
    assert two.pool.parts.keys() == {"a"}


def test_an_alias_is_marked_on_the_link_of_the_id_that_brings_the_key() -> None:
    key = Brought(f"{USER}:2", "proof", "b", profile("b", ("proof", f"{USER}:2")), alias=True)
    joined = bring(Pool.of(profile("a", ("proof", f"{USER}:1"))), "a", key, RULES, 9)
    assert [(link.left, link.alias) for link in joined.links] == [("b", False), ("a", True)]
    assert joined.joins


def test_two_ids_are_joined_by_a_link_between_them() -> None:
    pool = Pool.of(profile("a"))
    link = new_link("a", "proof", "b")
    joined = join_ids(pool, link, profile("b"), RULES, 9)
    assert (joined.links, joined.joins) == ((link,), True)
    again = join_ids(joined.pool, link, profile("b"), RULES, 9)
    assert (again.links, again.joins) == ((), False)


def test_two_ids_of_one_profile_get_a_link_that_joins_nobody_new() -> None:
    both = brought("proof", profile("a"), profile("b")).pool
    joined = join_ids(both, new_link("a", "proof", "b"), profile("b"), RULES, 9)
    assert (len(joined.links), joined.joins) == (1, False)


def test_a_link_to_a_proven_id_is_no_claim() -> None:
    joined = join_ids(Pool.of(profile("a")), new_link("a", "claim", "b"), profile("b", ("proof", EMAIL)), RULES, 9)
    assert (joined.verdict.refused, joined.links, joined.pool) == ("proven", (), Pool.of(profile("a")))


def test_the_rules_of_a_project_name_its_exclusive_keys_as_paths() -> None:
    rules = link_rules(KeyRules(exclusive=frozenset({("traits", "user"), ("pii", "e-mail")}), max_per_key=7))
    assert rules == LinkRules(frozenset({"traits.user", "pii['e-mail']"}), max_per_key=7)
