import pytest
from msgspec.structs import replace

from engine.flow.ask import NoAnswer, ProfileById, ProfileReply
from engine.flow.effect import Merge
from engine.profile.document import Link
from engine.profile.merge import link_id
from nodes.profile.alias import ProfileAlias
from tests.nodes.build import ANN, person, seen

BO = person("p-bo", "p-bo-1")


def test_it_asks_for_the_profile_with_the_id():
    assert ProfileAlias(id=" p-bo ").ask(seen(person())) == ProfileById("p-bo")


@pytest.mark.parametrize("id", ["", "null", "anonymous", "x" * 201], ids=ascii)
def test_a_placeholder_never_joins(id):
    assert ProfileAlias(id=id).ask(seen(person())).port == "failed"


def test_a_run_without_a_profile_leaves_by_failed():
    assert ProfileAlias(id="p-bo").ask(seen()).reason == "no profile"


def test_the_two_are_joined():
    outcome = ProfileAlias(id="p-bo-1").answer(seen(person()), ProfileReply(BO, "p-bo-1"))
    assert (outcome.port, outcome.out) == ("merged", {"id": "p-bo"})
    assert outcome.effects == (Merge(BO, left=ANN, right="p-bo-1", cause="alias"),)


def test_an_alias_of_oneself_changes_nothing():
    outcome = ProfileAlias(id=ANN).answer(seen(person()), ProfileReply(person(), ANN))
    assert (outcome.port, outcome.effects) == ("unchanged", ())


def test_two_that_are_one_for_another_reason_are_noted_as_joined_for_this_one_too():
    both = person(ANN, "p-bo")
    outcome = ProfileAlias(id="p-bo").answer(seen(both), ProfileReply(both, "p-bo"))
    assert (outcome.port, len(outcome.effects)) == ("unchanged", 1)


def test_what_was_set_apart_stays_apart():
    step = Link(link_id(ANN, "p-bo", "alias"), ANN, "p-bo", "alias", undone=True)
    own = replace(person(), links={step.id: step})
    outcome = ProfileAlias(id="p-bo").answer(seen(own), ProfileReply(BO, "p-bo"))
    assert (outcome.port, outcome.effects) == ("unchanged", ())
    assert "set apart" in outcome.reason


def test_an_id_that_nobody_has_is_missing():
    assert ProfileAlias(id="p-bo").answer(seen(person()), ProfileReply(None)).port == "missing"


def test_no_answer_leaves_by_failed():
    assert ProfileAlias(id="p-bo").answer(seen(person()), NoAnswer("timeout", "busy")).reason == "busy"
