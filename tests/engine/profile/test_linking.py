"""Laws of linking: which ids belong together does not depend on the order or repetition of the facts that join them."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.profile.document import Clash, Link, LinkKind, LinkOrigin, Part, Profile, Side
from engine.profile.linking import (
    MAX_LINKS,
    LinkRules,
    Pool,
    Verdict,
    accept,
    all_own,
    component,
    groups,
    is_one_group,
    is_proven,
    key_link,
    link_id,
    new_link,
    own_ids,
    proven_sender,
    settled,
    still_joined,
    undo,
    values_of,
)
from tests.engine.profile.histories import examples

IDS = "ABCDE"
USER = "traits.user"
PLAIN = LinkRules(max_per_key=1000)
ONE_USER = LinkRules(exclusive=frozenset({USER}), max_per_key=1000)

Fact = tuple[str, LinkKind, str]  # an id brings a key, by a claim or a proof

keys = st.sampled_from(["pii.email:1", "pii.email:2", "pii.phone:1"])
users = st.sampled_from([f"{USER}:1", f"{USER}:2"])
kinds = st.sampled_from(["claim", "claim", "proof"])
facts = st.lists(st.tuples(st.sampled_from(IDS), kinds, keys), min_size=1, max_size=10)
few = st.sampled_from("ABCD")
mixed_facts = st.lists(
    st.one_of(
        st.tuples(few, kinds, users),
        st.tuples(few, kinds, st.just("pii.email:1")),
        st.sampled_from([("A", "own", "B"), ("C", "own", "B"), ("D", "proof", "C"), ("A", "own", "D")]),
    ),
    min_size=3,
    max_size=10,
)


def pool_of(ids: str = IDS, *links: Link) -> Pool:
    return Pool({id: Part(id, created=turn) for turn, id in enumerate(ids)}, {link.id: link for link in links})


def link_of(fact: Fact, *, alias: bool = False) -> Link:
    id, kind, right = fact
    return new_link(id, kind, right if right in IDS else key_link(right, kind), alias)


def brought(pool: Pool, *facts: Fact, rules: LinkRules = PLAIN) -> Pool:
    """Return a pool after these facts; those that the rules refuse change nothing."""
    for now, fact in enumerate(facts, 1):
        pool = accept(pool, (link_of(fact),), rules, now).pool
    return pool


def refusal(verdict: Verdict) -> str:
    assert (verdict.reason == "") == (verdict.refused == "") == verdict.taken
    return verdict.refused


def expected_groups(facts: list[Fact]) -> list[frozenset[str]]:
    """Return the groups as the rule says it: proofs join, and claims join those of whom nothing is proven."""
    proven = {id for id, kind, _ in facts if kind == "proof"}
    joining = [(id, kind, key) for id, kind, key in facts if kind == "proof" or id not in proven]
    found = {id: {id} for id in IDS}
    for id, kind, key in joining:
        for other, other_kind, other_key in joining:
            if (kind, key) == (other_kind, other_key):
                together = found[id] | found[other]
                found.update(dict.fromkeys(together, together))
    return sorted({frozenset(ids) for ids in found.values()}, key=sorted)


# ---- order and repetition --------------------------------------------------------------------------------------------


@examples(200)
@given(facts, st.randoms(use_true_random=False))
def test_the_same_facts_in_any_order_and_repetition_make_the_same_groups(facts, random):
    expected = expected_groups(facts)
    for _ in range(3):
        todo = [*facts, *random.choices(facts, k=3)]
        random.shuffle(todo)
        assert groups(brought(pool_of(), *todo)) == expected


@examples(150)
@given(facts, st.sampled_from(IDS), keys)
def test_a_proof_sets_its_id_apart_from_all_whom_claims_join_with_it_and_the_others_stay_together(facts, id, key):
    claims = [fact for fact in facts if fact[1] == "claim"]
    after = brought(pool_of(), *claims, (id, "proof", key))
    others = brought(pool_of(), *[fact for fact in claims if fact[0] != id])
    assert groups(after) == groups(others)
    assert component(after, id) == {id}


def test_the_ids_that_stay_together_do_not_depend_on_which_was_first():
    claims: list[Fact] = [(id, "claim", "pii.email:1") for id in "ABC"]
    after = brought(pool_of("ABC"), *claims, ("A", "proof", "pii.phone:1"))
    assert groups(after) == [{"A"}, {"B", "C"}]


@examples(150)
@given(mixed_facts, st.integers(0, 20), mixed_facts)
def test_undoing_a_link_joins_nobody_and_is_for_good(facts, at, later):
    before = brought(pool_of(), *facts, rules=ONE_USER)
    if not before.links:
        return
    undone = sorted(before.links)[at % len(before.links)]
    after = undo(before, undone, 50)
    for ids in groups(after):
        assert ids <= component(before, min(ids))
    again = brought(after, *facts, *later, rules=ONE_USER)
    assert not again.links[undone].holds


@examples(150)
@given(mixed_facts, mixed_facts)
def test_nobody_is_ever_joined_with_a_proven_id_by_a_claim(facts, later):
    pool = brought(pool_of(), *facts, rules=ONE_USER)
    for now, fact in enumerate(later, 100):
        pool = accept(pool, (link_of(fact),), ONE_USER, now).pool
        for id in IDS:
            own = component(pool, id, claims=False)
            assert not is_proven(pool, own) or component(pool, id) == own


@examples(250)
@given(mixed_facts, st.lists(st.integers(0, 20), max_size=3), st.sets(st.sampled_from("AB")), mixed_facts)
def test_no_order_brings_two_values_of_an_exclusive_key_into_one_profile(facts, undone, visitors, later):
    pool = pool_of()
    for at, id in enumerate(sorted(visitors), 1):  # pairs of a visitor and a user
        pool = Pool({**pool.parts, id: Part(id, created=0, user=f"{USER}:{at}")}, pool.links)
    pool = brought(pool, *facts, rules=ONE_USER)
    for at in undone:
        if pool.links:
            pool = undo(pool, sorted(pool.links)[at % len(pool.links)], 50)
    for fact in [*facts, *later]:
        pool = accept(pool, (link_of(fact),), ONE_USER, 90).pool
        for ids in groups(pool):
            holding = [link.right.removeprefix("?") for link in pool.links.values() if link.left in ids and link.holds]
            named = {right for right in holding if right.startswith(USER)}
            assert len(named | {pool.parts[id].user for id in ids if pool.parts[id].user}) < 2


@examples(100)
@given(mixed_facts, mixed_facts, st.integers(0, 20), st.permutations(range(3)))
def test_copies_of_documents_make_the_same_pool_in_any_order(facts, later, at, order):
    one = brought(pool_of(), *facts)
    other = brought(one, *later)
    third = undo(one, sorted(one.links)[at % len(one.links)], 7) if one.links else one
    documents = [Profile(id="A", created=0, parts=dict(p.parts), links=dict(p.links)) for p in (one, other, third)]
    turned = [documents[turn] for turn in order]
    assert Pool.of(*turned) == Pool.of(*documents, *turned)


# ---- groups ----------------------------------------------------------------------------------------------------------


def test_the_id_of_a_link_depends_on_the_id_the_kind_and_the_key():
    assert new_link("a", "proof", "k").id == link_id("a", "proof", "k")
    others = {
        link_id("a", "claim", "k"),
        link_id("b", "proof", "k"),
        link_id("a", "proof", "j"),
        link_id("", "own", ""),
    }
    assert len({link_id("a", "proof", "k"), *others}) == 5
    assert len(link_id("a", "proof", "k")) == 32


def test_a_claimed_and_a_proven_key_are_two_keys():
    pool = brought(pool_of("AB"), ("A", "claim", "pii.email:1"), ("B", "proof", "pii.email:1"))
    assert groups(pool) == [{"A"}, {"B"}]
    assert sorted(link.right for link in pool.links.values()) == ["?pii.email:1", "pii.email:1"]


def test_only_links_that_hold_join():
    links = [
        new_link("A", "proof", "k"),
        new_link("B", "proof", "k"),
        new_link("C", "claim", "?k"),
        new_link("B", "own", "C"),
        msgspec.structs.replace(new_link("D", "proof", "k"), undone=5),
        msgspec.structs.replace(new_link("E", "claim", "?k"), ceased=5),
    ]
    assert groups(pool_of(IDS, *links)) == [{"A", "B", "C"}, {"D"}, {"E"}]


def test_hers_are_the_ids_that_proofs_and_own_links_join():
    parts = {id: Part(id, created=0) for id in "ABC"}
    links = [new_link("A", "own", "B"), new_link("B", "claim", "?k"), new_link("C", "claim", "?k")]
    profile = Profile("A", 0, parts=parts, links={link.id: link for link in links})
    assert own_ids(profile, "A") == {"A", "B"}
    assert own_ids(profile, "C") == {"C"}
    assert (all_own(profile, "A"), proven_sender(profile, "A"), is_one_group(profile)) == (False, False, True)


def test_a_profile_that_was_never_linked_is_all_hers_and_proves_nothing():
    profile = Profile("A", 0, parts={"A": Part("A", created=0)})
    assert (all_own(profile, "A"), proven_sender(profile, "A"), is_one_group(profile)) == (True, False, True)


def test_a_profile_whose_links_do_not_hold_its_parts_together_is_not_one_group():
    assert not is_one_group(Profile("A", 0, parts={id: Part(id, created=0) for id in "AB"}))


@pytest.mark.parametrize(
    "link",
    [
        pytest.param(new_link("A", "proof", "k"), id="a proof of a key"),
        pytest.param(msgspec.structs.replace(new_link("A", "proof", "k"), undone=5), id="an undone proof"),
        pytest.param(new_link("A", "proof", "B"), id="a proof of another id"),
        pytest.param(new_link("B", "proof", "A"), id="a proof by another id"),
    ],
)
def test_one_who_has_ever_brought_a_proof_is_proven(link):
    profile = Profile("A", 0, parts={"A": Part("A", created=0)}, links={link.id: link})
    assert proven_sender(profile, "A")


# ---- verdicts --------------------------------------------------------------------------------------------------------


def test_a_repeat_of_a_link_changes_nothing():
    pool = brought(pool_of(), ("A", "proof", "k"))
    assert accept(pool, (link_of(("A", "proof", "k")),), PLAIN, 9).pool == pool


def test_an_undone_link_and_a_claim_that_has_ceased_are_not_taken_again():
    ceased = msgspec.structs.replace(new_link("A", "claim", "?k"), ceased=5)
    pool = brought(pool_of(IDS, ceased), ("B", "claim", "k"))
    verdict = accept(pool, (link_of(("A", "claim", "k")),), PLAIN, 9)
    assert (refusal(verdict), verdict.reason) == ("undone", "this claim has ceased to hold")
    pool = undo(pool, link_id("B", "claim", "?k"), 8)
    verdict = accept(pool, (link_of(("B", "claim", "k")),), PLAIN, 9)
    assert (refusal(verdict), verdict.reason) == ("undone", "an operator has undone this link, for good")


def test_a_proven_id_takes_no_claims():
    pool = brought(pool_of(), ("A", "claim", "k"), ("A", "proof", "j"))
    assert refusal(accept(pool, (link_of(("A", "claim", "k")),), PLAIN, 9)) == "proven"
    assert refusal(accept(pool, (new_link("B", "claim", "A"),), PLAIN, 9)) == "proven"


def test_a_claim_that_ceases_names_the_proof_and_the_time():
    pool = brought(pool_of(), ("A", "claim", "k"), ("A", "proof", "j"))
    claim = pool.links[link_id("A", "claim", "?k")]
    assert (claim.ceased, claim.ceased_by) == (2, link_id("A", "proof", "j"))


def test_claims_of_all_of_hers_cease_when_one_of_them_proves_something():
    links = [new_link("A", "own", "B"), new_link("A", "claim", "?k"), new_link("C", "claim", "?k")]
    pool = brought(pool_of("ABC", *links), ("B", "proof", "j"))
    assert groups(pool) == [{"A", "B"}, {"C"}]


def test_a_pool_without_claims_of_the_proven_is_settled():
    pool = brought(pool_of(), ("A", "proof", "j"), ("B", "claim", "k"))
    assert settled(pool, 9) is pool


def test_a_device_has_one_first_user_for_good():
    pool = brought(pool_of(), ("A", "own", "B"))
    assert refusal(accept(pool, (new_link("A", "own", "C"),), PLAIN, 9)) == "undone"
    pool = undo(pool, link_id("A", "own", "B"), 8)
    assert refusal(accept(pool, (new_link("A", "own", "C"),), PLAIN, 9)) == "undone"
    assert refusal(accept(pool, (new_link("D", "own", "B"),), PLAIN, 9)) == ""


def test_of_several_links_all_are_taken_or_none():
    pool = brought(pool_of(), ("B", "proof", "j"))
    verdict = accept(pool, (link_of(("A", "claim", "k")), link_of(("B", "claim", "k"))), PLAIN, 9)
    assert (refusal(verdict), verdict.pool) == ("proven", pool)


# ---- exclusive keys --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "fact", "refused"),
    [
        pytest.param([("A", "proof", "traits.user:1")], ("A", "proof", "traits.user:2"), "other", id="a second value"),
        pytest.param([("A", "claim", "traits.user:1")], ("A", "claim", "traits.user:2"), "other", id="both claimed"),
        pytest.param([("A", "claim", "traits.user:1")], ("A", "proof", "traits.user:1"), "", id="a claim is proven"),
        pytest.param(
            [("A", "proof", "traits.user:1"), ("A", "proof", "e"), ("B", "proof", "traits.user:2")],
            ("B", "proof", "e"),
            "other",
            id="a proof of another key would join two users",
        ),
        pytest.param(
            [("A", "claim", "traits.user:1"), ("A", "claim", "e"), ("B", "claim", "traits.user:2")],
            ("B", "claim", "e"),
            "other",
            id="a claim of another key would join two users",
        ),
        pytest.param(
            [("A", "claim", "e"), ("A", "claim", "traits.user:1"), ("B", "claim", "e")],
            ("B", "proof", "traits.user:2"),
            "",
            id="a proof is judged by its own ids alone",
        ),
        pytest.param(
            [("A", "claim", "traits.user:1"), ("A", "proof", "e")],
            ("A", "proof", "traits.user:2"),
            "",
            id="what a proven one claimed before does not count",
        ),
    ],
)
def test_a_profile_has_one_value_of_an_exclusive_key(before, fact, refused):
    pool = brought(pool_of(), *before, rules=ONE_USER)
    verdict = accept(pool, (link_of(fact),), ONE_USER, 90)
    assert refusal(verdict) == refused
    if refused:
        assert (verdict.pool, verdict.values) == (pool, ("traits.user:1", "traits.user:2"))


def test_one_who_brings_another_value_than_her_joint_profile_has_leaves_it():
    claims: list[Fact] = [("A", "claim", "e"), ("A", "claim", f"{USER}:1"), ("B", "claim", "e")]
    pool = brought(pool_of("AB"), *claims, ("B", "claim", f"{USER}:2"), rules=ONE_USER)
    assert groups(pool) == [{"A"}, {"B"}]
    assert pool.links[link_id("B", "claim", "?e")].ceased_by == link_id("B", "claim", f"?{USER}:2")
    assert values_of(pool, {"A"}, USER) == {f"{USER}:1"}


def test_the_user_of_a_pair_counts_whatever_is_proven():
    pool = brought(Pool({"A": Part("A", created=0, user=f"{USER}:1")}, {}), ("A", "proof", "e"), rules=ONE_USER)
    assert refusal(accept(pool, (link_of(("A", "proof", f"{USER}:2")),), ONE_USER, 9)) == "other"
    assert refusal(accept(pool, (link_of(("A", "proof", f"{USER}:1")),), ONE_USER, 9)) == ""


def test_an_alias_lets_a_second_value_in_and_no_third_without_an_alias():
    pool = brought(pool_of("ABC"), ("A", "proof", f"{USER}:1"), ("B", "proof", f"{USER}:2"), rules=ONE_USER)
    verdict = accept(pool, (link_of(("A", "proof", f"{USER}:2"), alias=True),), ONE_USER, 9)
    assert refusal(verdict) == ""
    assert groups(verdict.pool) == [{"A", "B"}, {"C"}]
    third = link_of(("A", "proof", f"{USER}:3"))
    assert refusal(accept(verdict.pool, (third,), ONE_USER, 9)) == "other"
    assert refusal(accept(verdict.pool, (msgspec.structs.replace(third, alias=True),), ONE_USER, 9)) == ""
    assert refusal(accept(verdict.pool, (link_of(("B", "proof", f"{USER}:1")),), ONE_USER, 9)) == ""


# ---- limits ----------------------------------------------------------------------------------------------------------


def star(count: int, kind: LinkKind, key: str) -> Pool:
    """Return a pool in which `count` ids have brought a key."""
    ids = [f"s{turn}" for turn in range(count)]
    links = [new_link(id, kind, key_link(key, kind)) for id in ids]
    return Pool({id: Part(id, created=0) for id in (*ids, "new")}, {link.id: link for link in links})


FEW = LinkRules(exclusive=frozenset({USER}), max_per_key=3, max_ids=6)


@pytest.mark.parametrize(
    ("pool", "link", "reason"),
    [
        pytest.param(star(3, "claim", "pii.email:1"), ("claim", "?pii.email:1"), "", id="at the limit"),
        pytest.param(star(4, "claim", "pii.email:1"), ("claim", "?pii.email:1"), "more than 3 profiles", id="beyond"),
        pytest.param(star(4, "proof", "pii.email:1"), ("proof", "pii.email:1"), "more than 3 profiles", id="proofs"),
        pytest.param(star(5, "claim", "pii.email:1"), ("proof", "pii.email:1"), "", id="claims count for no proof"),
        pytest.param(star(5, "claim", f"{USER}:1"), ("claim", f"?{USER}:1"), "", id="an exclusive key has no limit"),
        pytest.param(star(6, "claim", f"{USER}:1"), ("claim", f"?{USER}:1"), "at most 6 ids", id="too many ids"),
        pytest.param(star(6, "claim", f"{USER}:1"), ("proof", f"{USER}:1"), "", id="of the own ids, for a proof"),
    ],
)
def test_a_link_beyond_a_limit_is_refused(pool, link, reason):
    kind, key = link
    verdict = accept(pool, (new_link("new", kind, key),), FEW, 9)
    assert refusal(verdict) == ("limit" if reason else "")
    assert reason in verdict.reason


def test_links_that_do_not_hold_do_not_count_for_the_limit():
    pool = star(4, "claim", "pii.email:1")
    pool = undo(pool, link_id("s1", "claim", "?pii.email:1"), 5)
    assert refusal(accept(pool, (new_link("new", "claim", "?pii.email:1"),), FEW, 9)) == ""


def test_a_profile_has_a_limited_number_of_links():
    links = [new_link("A", "proof", f"pii.email:{turn}") for turn in range(MAX_LINKS)]
    verdict = accept(pool_of("A", *links), (new_link("A", "proof", "pii.email:x"),), PLAIN, 9)
    assert (refusal(verdict), "at most 500 links" in verdict.reason) == ("limit", True)


# ---- undoing ---------------------------------------------------------------------------------------------------------


def test_an_unknown_link_cannot_be_undone():
    with pytest.raises(KeyError):
        undo(pool_of(), "none", 5)


def test_undoing_again_keeps_the_first_time():
    pool = undo(brought(pool_of(), ("A", "proof", "k")), link_id("A", "proof", "k"), 5)
    assert undo(pool, link_id("A", "proof", "k"), 9) == pool


def test_an_undone_link_keeps_the_paths_of_its_clashes_without_values():
    why = LinkOrigin(
        at=1, event="e", type="t", flow="f", node="n", acting="A", won="A", left=Side(("A",)), right=Side(("B",)),
        clashes=(Clash("traits.x", "right", "1", "2"),),
    )  # fmt: skip
    pool = pool_of("AB", msgspec.structs.replace(new_link("A", "proof", "k"), why=why))
    undone = undo(pool, link_id("A", "proof", "k"), 5).links[link_id("A", "proof", "k")]
    assert undone.why is not None
    assert undone.why.clashes == (Clash("traits.x", "right"),)


def test_the_links_that_still_join_an_id_with_a_key_are_named():
    pool = brought(pool_of(), *[(id, "proof", key) for id in "AB" for key in ("j", "k")])
    chain = still_joined(pool, pool.links[link_id("A", "proof", "k")])
    assert [each.id for each in chain] == [
        link_id(*fact) for fact in (("A", "proof", "j"), ("B", "proof", "j"), ("B", "proof", "k"))
    ]
    alone = brought(pool_of(), ("A", "proof", "k"), ("B", "proof", "k"))
    assert still_joined(alone, alone.links[link_id("A", "proof", "k")]) == ()


class CountingLinks(dict[str, Link]):
    """Links that count how often all of them are read."""

    reads = 0

    def values(self) -> Any:
        """Return the links."""
        self.reads += 1
        return super().values()


def test_a_link_is_judged_without_reading_all_links_for_each_id() -> None:
    ids = [f"{turn:02d}" for turn in range(99)]
    links = CountingLinks({(link := new_link(id, "claim", "?pii.email:1")).id: link for id in ids})
    pool = Pool({id: Part(id, created=turn) for turn, id in enumerate(ids)}, links)
    assert accept(pool, [new_link("00", "claim", "?pii.phone:1")], ONE_USER, 1).taken
    assert links.reads < 20
