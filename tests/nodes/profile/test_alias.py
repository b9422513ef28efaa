import pytest
from engine.profile.merge import link_id
from msgspec.structs import replace

from engine.flow.ask import NoAnswer, ProfileById, ProfileReply
from engine.flow.effect import Merge
from engine.profile.document import Link
from engine.profile.key import KeyRules
from nodes.profile.alias import ProfileAlias
from tests.nodes.build import ANN, node_context, stored_profile

BO = stored_profile("p-bo", "p-bo-1")


def test_it_asks_for_the_profile_with_the_id():
    assert ProfileAlias(id=" p-bo ").ask(node_context(stored_profile())) == ProfileById("p-bo")


@pytest.mark.parametrize("id", ["", "null", "anonymous", "x" * 201], ids=ascii)
def test_a_placeholder_leaves_by_failed(id):
    assert ProfileAlias(id=id).ask(node_context(stored_profile())).port == "failed"


def test_a_value_that_the_project_lists_leaves_by_failed():
    context = replace(node_context(stored_profile()), keys=KeyRules(never=frozenset({"kiosk"})))
    assert "`merging.never`" in ProfileAlias(id="Kiosk").ask(context).reason


def test_without_a_profile_it_leaves_by_failed():
    assert ProfileAlias(id="p-bo").ask(node_context()).reason == "no profile"


def test_the_two_profiles_are_joined():
    outcome = ProfileAlias(id="p-bo-1").answer(node_context(stored_profile()), ProfileReply(BO, "p-bo-1"))
    assert (outcome.port, outcome.out) == ("merged", {"id": "p-bo"})
    assert outcome.effects == (Merge(BO, left=ANN, right="p-bo-1", cause="alias"),)


def test_an_alias_of_the_own_id_changes_nothing():
    outcome = ProfileAlias(id=ANN).answer(node_context(stored_profile()), ProfileReply(stored_profile(), ANN))
    assert (outcome.port, outcome.effects) == ("unchanged", ())


def test_profiles_joined_for_another_cause_get_a_link_for_the_alias_too():
    both = stored_profile(ANN, "p-bo")
    outcome = ProfileAlias(id="p-bo").answer(node_context(both), ProfileReply(both, "p-bo"))
    assert (outcome.port, len(outcome.effects)) == ("unchanged", 1)


def test_profiles_that_an_unmerge_separated_stay_separate():
    link = Link(link_id(ANN, "p-bo", "alias"), ANN, "p-bo", "alias", undone=True)
    own = replace(stored_profile(), links={link.id: link})
    outcome = ProfileAlias(id="p-bo").answer(node_context(own), ProfileReply(BO, "p-bo"))
    assert (outcome.port, outcome.effects) == ("unchanged", ())
    assert "stay separate" in outcome.reason


def test_an_unknown_id_leaves_by_missing():
    assert ProfileAlias(id="p-bo").answer(node_context(stored_profile()), ProfileReply(None)).port == "missing"


def test_no_answer_leaves_by_failed():
    assert ProfileAlias(id="p-bo").answer(node_context(stored_profile()), NoAnswer("timeout", "busy")).reason == "busy"
