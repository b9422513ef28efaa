"""What a sender without authority may see, and whose word counts for a consent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.profile.operations import Set, Unset
from engine.profile.visible import consented
from tests.engine.profile.histories import examples
from tests.engine.profile.people import People

IDS = "ABC"
SECRET, COPY = ("traits", "secret"), ("traits", "copy")
MAIL = ("consents", "mail")
GIVEN, REVOKED = (*MAIL, "given"), (*MAIL, "revoked")


@examples(150)
@given(st.lists(st.tuples(st.sampled_from(IDS), st.booleans()), max_size=10), st.booleans())
def test_a_view_never_holds_a_foreign_value(log, undo):
    """Every value carries its writer; flows may also copy what they see."""
    people = People(IDS)
    people.merge("A", "B", "k", claim=True)
    for id, copies in log:
        seen = people.read(id).get("traits", {}).get("secret")
        people.commit(id, [Set(COPY, seen) if copies else Set(SECRET, "of-" + id)], 0)
    if undo:
        people.unmerge("A", "B", "k")  # what was mixed stays hidden
    for id in IDS:
        assert not any(f"of-{other}" in repr(people.view(id)) for other in IDS if other != id)


def test_a_view_holds_what_was_proven_to_be_ones_own():
    people = People(IDS)
    people.commit("A", [Set(SECRET, "of-A")], 10)
    people.commit("B", [Set(COPY, "of-B")], 10)
    people.commit("C", [Set(COPY, "of-C")], 20)
    people.merge("A", "B", "k")
    people.merge("A", "C", "k", claim=True)
    assert people.read("A") == {"traits": {"secret": "of-A", "copy": "of-C"}}
    assert people.view("A") == people.view("B") == {"traits": {"secret": "of-A", "copy": "of-B"}}
    assert people.view("C") == {"traits": {"copy": "of-C"}}


@examples(150)
@given(st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(["given", "revoked"])), max_size=8))
def test_claims_never_grant_and_may_revoke(acts):
    people = People(IDS)
    people.merge("A", "B", "k", claim=True)
    people.merge("B", "C", "k")
    for id, act in acts:
        people.commit(id, [Set((*MAIL, act), True)], 0)
    for id, own in (("A", "A"), ("B", "BC"), ("C", "BC")):
        given = max((at for at, (who, act) in enumerate(acts) if act == "given" and who in own), default=-1)
        revoked = max((at for at, (_, act) in enumerate(acts) if act == "revoked"), default=-1)
        assert consented(people.of(id), id, "mail") == (given > revoked)


@pytest.mark.parametrize(
    ("acts", "holds"),
    [
        pytest.param([], False, id="nothing was said"),
        pytest.param([("A", Set(GIVEN, True))], True, id="given"),
        pytest.param([("B", Set(GIVEN, "2024-05-01"))], True, id="given under an id of one's own"),
        pytest.param([("C", Set(GIVEN, True))], False, id="given under a claimed id"),
        pytest.param([("A", Set(MAIL, {"given": True}))], True, id="given as an object"),
        pytest.param([("A", Set(GIVEN, True)), ("C", Set(MAIL, {"given": True}))], False, id="replaced by a claim"),
        pytest.param([("A", Set(GIVEN, False))], False, id="given is false"),
        pytest.param([("A", Set(GIVEN, True)), ("A", Set(GIVEN, None))], False, id="given is null"),
        pytest.param([("A", Set(GIVEN, True)), ("B", Unset(GIVEN))], False, id="given is taken away"),
        pytest.param([("A", Set(GIVEN, True)), ("B", Unset(MAIL))], False, id="the consent is taken away"),
        pytest.param([("A", Set(GIVEN, True)), ("B", Unset(("consents",)))], False, id="all consents are taken away"),
        pytest.param([("A", Set(GIVEN, True)), ("B", Set(MAIL, "yes"))], False, id="replaced by a text"),
        pytest.param([("A", Set(REVOKED, True)), ("B", Set(GIVEN, True))], True, id="given again"),
        pytest.param(
            [("A", Set(GIVEN, True)), ("C", Set(REVOKED, False))], False, id="what stands in revoked is no matter"
        ),
        pytest.param(
            [("A", Set(GIVEN, True)), ("C", Set(REVOKED, True)), ("C", Unset(REVOKED))], False, id="no taking back"
        ),
    ],
)
def test_a_consent_holds_when_the_newest_word_of_ones_own_is_a_grant(acts, holds):
    people = People(IDS)
    people.merge("A", "B", "k")
    people.merge("B", "C", "k", claim=True)
    for id, op in acts:
        people.commit(id, [op], 0)
    assert consented(people.of("A"), "A", "mail") is holds


def test_granting_and_revoking_at_once_is_no_consent():
    people = People("A")
    people.commit("A", [Set(GIVEN, True), Set(REVOKED, True)], 0)
    assert not consented(people.of("A"), "A", "mail")
