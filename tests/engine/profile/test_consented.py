"""The consents that hold under an id, when other ids are joined to it by proof or by a claim."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.profile.consent import Decision, decision_operations
from engine.profile.consented import consented
from engine.profile.operations import Set, Unset
from tests.engine.profile.histories import examples
from tests.engine.profile.profiles import People

IDS = "ABC"
NOW = 1_700_000_000_000
MAIL = ("consents", "mail")
GIVEN, REVOKED = (*MAIL, "given"), (*MAIL, "revoked")


@examples(150)
@given(st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(["given", "revoked"])), max_size=8))
def test_claims_never_grant_and_may_revoke(acts):
    people = People(IDS)
    people.merge("A", "B", "k", claim=True)
    people.merge("B", "C", "k")
    for at, (id, act) in enumerate(acts):
        people.commit(id, [Set((*MAIL, act), at)], 0)
    for id, own in (("A", "A"), ("B", "BC"), ("C", "BC")):
        given = max((at for at, (who, act) in enumerate(acts) if act == "given" and who in own), default=-1)
        revoked = max((at for at, (_, act) in enumerate(acts) if act == "revoked"), default=-1)
        assert consented(people.of(id), id, "mail", NOW) == (given > revoked)


@examples(150)
@given(
    st.lists(st.tuples(st.sampled_from(IDS), st.integers(0, 2), st.sampled_from([True, False])), max_size=8),
    st.permutations(["AB", "BC", "CA"]),
)
def test_after_any_merges_the_newest_decision_counts_and_at_one_time_no_grant(acts, joins):
    """Decisions that were taken apart meet by merging; nothing that was revoked is given by that."""
    people, clock = People(IDS), 10
    words: list[tuple[int, bool]] = []
    for id, later, agrees in acts:
        clock += later
        ops = list(decision_operations(people.read(id).get("consents", {}), {"mail": Decision(given=agrees)}, clock))
        people.commit(id, ops, clock)
        words.append((max(part.last for part in people.of(id).parts.values()), agrees))
    for left, right in joins:
        people.merge(left, right, "k")
    last = max((at for at, _ in words), default=0)
    holds = bool(words) and all(agrees for at, agrees in words if at == last)
    for id in IDS:
        assert consented(people.of(id), id, "mail", NOW) <= holds
        assert consented(people.of(id), id, "mail", NOW) or not holds or [at for at, _ in words].count(last) > 1


@pytest.mark.parametrize(
    ("acts", "holds"),
    [
        pytest.param([], False, id="nothing was said"),
        pytest.param([("A", Set(MAIL, True))], True, id="true"),
        pytest.param([("A", Set(MAIL, False))], False, id="false"),
        pytest.param([("B", Set(MAIL, True))], True, id="true under an id of one's own"),
        pytest.param([("C", Set(MAIL, True))], False, id="true under a claimed id"),
        pytest.param([("A", Set(MAIL, True)), ("C", Set(MAIL, True))], False, id="true, and replaced by a claim"),
        pytest.param([("A", Set(GIVEN, 1))], True, id="given"),
        pytest.param([("B", Set(GIVEN, 1))], True, id="given under an id of one's own"),
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
        pytest.param([("A", Set(GIVEN, 1)), ("B", Unset(GIVEN))], False, id="given is taken away"),
        pytest.param([("A", Set(GIVEN, 1)), ("B", Unset(MAIL))], False, id="the consent is taken away"),
        pytest.param([("A", Set(GIVEN, 1)), ("B", Unset(("consents",)))], False, id="all consents are taken away"),
        pytest.param([("A", Set(GIVEN, 1)), ("B", Set(MAIL, "yes"))], False, id="replaced by a text"),
        pytest.param([("A", Set(REVOKED, 1)), ("B", Set(GIVEN, 2))], True, id="given again"),
        pytest.param(
            [("A", Set(GIVEN, 1)), ("C", Set(REVOKED, 0))], False, id="what stands in a claim's revoked is no matter"
        ),
        pytest.param([("A", Set(GIVEN, 1)), ("A", Unset(REVOKED))], False, id="nothing to take back"),
        pytest.param([("A", Set(GIVEN, 1)), ("C", Set(REVOKED, 2)), ("C", Unset(REVOKED))], False, id="no taking back"),
    ],
)
def test_a_consent_holds_when_the_newest_word_of_ones_own_is_a_grant(acts, holds):
    people = People(IDS)
    people.merge("A", "B", "k")
    people.merge("B", "C", "k", claim=True)
    for id, op in acts:
        people.commit(id, [op], 0)
    assert consented(people.of("A"), "A", "mail", NOW) is holds


def test_granting_and_revoking_at_once_is_no_consent():
    people = People("A")
    people.commit("A", [Set(GIVEN, 1), Set(REVOKED, 1)], 0)
    assert not consented(people.of("A"), "A", "mail", NOW)


@pytest.mark.parametrize("granting", ["A", "B"])
def test_of_a_grant_and_a_revocation_at_one_time_in_two_profiles_no_grant_is_left(granting):
    """Which of them shows goes by their ids; what holds does not."""
    people = People("AB")
    for id in "AB":
        people.commit(id, [Set(MAIL, {"given" if id == granting else "revoked": 50})], 50)
    people.merge("A", "B", "k")
    assert not consented(people.of("A"), "A", "mail", NOW)


@pytest.mark.parametrize("first", ["A", "B"])
def test_a_bare_true_and_a_revocation_meet_by_merging(first):
    people = People("AB")
    for at, id in enumerate(sorted("AB", key=lambda each: each != first), 50):
        people.commit(id, [Set(MAIL, True) if id == "A" else Set(REVOKED, at)], at)
    people.merge("A", "B", "k")
    assert consented(people.of("A"), "A", "mail", NOW) == (first == "B")


def test_what_a_run_has_seen_need_not_be_folded_again():
    people = People("A")
    people.commit("A", [Set(MAIL, True)], 0)
    assert not consented(people.of("A"), "A", "mail", NOW, view={"consents": {"mail": False}})
