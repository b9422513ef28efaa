"""The consents that hold under an id, when other ids are joined to it by proof or by a claim."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.profile.consent import Decision, decision_operations
from engine.profile.consented import consented
from engine.profile.linking import new_link
from engine.profile.operations import Set, Unset
from tests.engine.profile.histories import examples
from tests.engine.profile.profiles import Profiles

IDS = "ABC"
NOW = 1_700_000_000_000
MAIL = ("consents", "mail")
GIVEN, REVOKED = (*MAIL, "given"), (*MAIL, "revoked")


@examples(150)
@given(st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(["given", "revoked"])), max_size=8))
def test_a_claim_never_grants_a_consent_but_may_revoke_one(acts):
    profiles = Profiles(IDS)
    profiles.merge("A", "B", "k", claim=True)
    profiles.link(new_link("B", "own", "C"))
    for at, (id, act) in enumerate(acts):
        profiles.commit(id, [Set((*MAIL, act), at)], 0)
    for id, own in (("A", "A"), ("B", "BC"), ("C", "BC")):
        given = max((at for at, (who, act) in enumerate(acts) if act == "given" and who in own), default=-1)
        revoked = max((at for at, (_, act) in enumerate(acts) if act == "revoked"), default=-1)
        assert consented(profiles.of(id), id, "mail", NOW) == (given > revoked)


@examples(150)
@given(
    st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 2), st.sampled_from([True, False])), max_size=8),
    st.permutations(["AB", "BC", "CA"]),
)
def test_after_any_merges_the_newest_decision_counts_and_a_tie_is_no_grant(acts, joins):
    """A merge brings together decisions of several profiles; it never grants a revoked consent."""
    profiles, clock = Profiles(IDS), 10
    decided: list[tuple[int, bool]] = []
    for id, later, agrees in acts:
        clock += later
        ops = list(decision_operations(profiles.read(id).get("consents", {}), {"mail": Decision(given=agrees)}, clock))
        profiles.commit(id, ops, clock)
        decided.append((max(part.last for part in profiles.of(id).parts.values()), agrees))
    for left, right in joins:
        profiles.merge(left, right, "k")
    last = max((at for at, _ in decided), default=0)
    holds = bool(decided) and all(agrees for at, agrees in decided if at == last)
    for id in IDS:
        assert consented(profiles.of(id), id, "mail", NOW) <= holds
        assert consented(profiles.of(id), id, "mail", NOW) or not holds or [at for at, _ in decided].count(last) > 1


@pytest.mark.parametrize(
    ("acts", "holds"),
    [
        pytest.param([], False, id="no decision"),
        pytest.param([("A", Set(MAIL, True))], True, id="true"),
        pytest.param([("A", Set(MAIL, False))], False, id="false"),
        pytest.param([("B", Set(MAIL, True))], True, id="true under an id of a proven id"),
        pytest.param([("C", Set(MAIL, True))], False, id="true under a claimed id"),
        pytest.param([("A", Set(MAIL, True)), ("C", Set(MAIL, True))], False, id="true, and replaced by a claim"),
        pytest.param([("A", Set(GIVEN, 1))], True, id="given"),
        pytest.param([("B", Set(GIVEN, 1))], True, id="given under an id of a proven id"),
        pytest.param([("C", Set(GIVEN, 1))], False, id="given under a claimed id"),
        pytest.param([("A", Set(MAIL, {"given": 1}))], True, id="given as an object"),
        pytest.param([("A", Set(MAIL, {"given": 1})), ("B", Set(MAIL, {"given": 2}))], True, id="given twice"),
        pytest.param([("A", Set(GIVEN, 1)), ("C", Set(MAIL, {"given": 2}))], False, id="replaced by a claim"),
        pytest.param([("A", Set(GIVEN, 1)), ("C", Set(GIVEN, 2))], True, id="given again by a claim, below"),
        pytest.param([("A", Set(MAIL, {"given": 1, "expires": 5}))], False, id="given and expired"),
        pytest.param(
            [("A", Set(MAIL, {"given": 1, "expires": 5})), ("C", Set((*MAIL, "expires"), NOW + 9))],
            False,
            id="a claim does not prolong",
        ),
        pytest.param([("A", Set(GIVEN, True))], False, id="given without a time"),
        pytest.param([("A", Set(GIVEN, False))], False, id="given is false"),
        pytest.param([("A", Set(GIVEN, 1)), ("A", Set(GIVEN, None))], False, id="given is null"),
        pytest.param([("A", Set(GIVEN, 1)), ("C", Set(GIVEN, None))], False, id="given is null by a claim"),
        pytest.param([("A", Set(GIVEN, 1)), ("B", Unset(GIVEN))], False, id="given is removed"),
        pytest.param([("A", Set(GIVEN, 1)), ("B", Unset(MAIL))], False, id="the consent is removed"),
        pytest.param([("A", Set(GIVEN, 1)), ("B", Unset(("consents",)))], False, id="all consents are removed"),
        pytest.param([("A", Set(GIVEN, 1)), ("B", Set(MAIL, "yes"))], False, id="replaced by a text"),
        pytest.param([("A", Set(REVOKED, 1)), ("B", Set(GIVEN, 2))], True, id="given again"),
        pytest.param([("A", Set(GIVEN, 1)), ("C", Set(REVOKED, 0))], False, id="revoked by a claim at any value"),
        pytest.param([("A", Set(GIVEN, 1)), ("A", Unset(REVOKED))], False, id="removing a missing revocation"),
        pytest.param(
            [("A", Set(GIVEN, 1)), ("C", Set(REVOKED, 2)), ("C", Unset(REVOKED))], False, id="removing a revocation"
        ),
    ],
)
def test_a_consent_holds_when_the_newest_decision_under_a_proven_id_is_a_grant(acts, holds):
    profiles = Profiles(IDS)
    profiles.link(new_link("A", "own", "B"))
    profiles.merge("B", "C", "k", claim=True)
    for id, op in acts:
        profiles.commit(id, [op], 0)
    assert consented(profiles.of("A"), "A", "mail", NOW) is holds


def test_granting_and_revoking_in_one_unit_is_no_consent():
    profiles = Profiles("A")
    profiles.commit("A", [Set(GIVEN, 1), Set(REVOKED, 1)], 0)
    assert not consented(profiles.of("A"), "A", "mail", NOW)


@pytest.mark.parametrize("granting", ["A", "B"])
def test_a_grant_and_a_revocation_at_the_same_time_in_two_profiles_merge_to_no_consent(granting):
    """The ids decide which of them the view shows, but not which holds."""
    profiles = Profiles("AB")
    for id in "AB":
        profiles.commit(id, [Set(MAIL, {"given" if id == granting else "revoked": 50})], 50)
    profiles.merge("A", "B", "k")
    assert not consented(profiles.of("A"), "A", "mail", NOW)


@pytest.mark.parametrize("first", ["A", "B"])
def test_a_bare_true_is_compared_with_a_revocation_of_a_merged_profile_by_time(first):
    profiles = Profiles("AB")
    for at, id in enumerate(sorted("AB", key=lambda each: each != first), 50):
        profiles.commit(id, [Set(MAIL, True) if id == "A" else Set(REVOKED, at)], at)
    profiles.merge("A", "B", "k")
    assert consented(profiles.of("A"), "A", "mail", NOW) == (first == "B")


def test_a_given_view_is_used_in_place_of_the_fold():
    profiles = Profiles("A")
    profiles.commit("A", [Set(MAIL, True)], 0)
    assert not consented(profiles.of("A"), "A", "mail", NOW, view={"consents": {"mail": False}})
