import pytest
from msgspec.structs import replace

from engine.flow.ask import NoAnswer, ProfileById, ProfileReply
from engine.flow.effect import Merge
from engine.profile.key import KeyRules
from engine.profile.linking import MAX_IDS, new_link
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


@pytest.mark.parametrize(("identify", "kind"), [("trust", "proof"), ("link", "claim")])
def test_the_two_profiles_are_joined(identify, kind):
    context = replace(node_context(stored_profile()), identify=identify)
    outcome = ProfileAlias(id="p-bo-1").answer(context, ProfileReply(BO, "p-bo-1"))
    assert (outcome.port, outcome.out) == ("merged", {"id": "p-bo"})
    assert outcome.effects == (Merge((new_link(ANN, kind, "p-bo-1"),), BO),)


def test_an_alias_of_the_own_id_changes_nothing():
    outcome = ProfileAlias(id=ANN).answer(node_context(stored_profile()), ProfileReply(stored_profile(), ANN))
    assert (outcome.port, outcome.effects) == ("unchanged", ())


def linked(own, *links):
    return replace(own, links={link.id: link for link in links})


def test_profiles_joined_by_another_link_get_a_link_for_the_alias_too():
    both = linked(stored_profile(ANN, "p-bo"), new_link(ANN, "proof", "k"), new_link("p-bo", "proof", "k"))
    outcome = ProfileAlias(id="p-bo").answer(node_context(both), ProfileReply(both, "p-bo"))
    assert (outcome.port, len(outcome.effects)) == ("unchanged", 1)


def test_a_link_that_was_undone_is_not_made_again():
    own = linked(stored_profile(), replace(new_link(ANN, "proof", "p-bo"), undone=5))
    outcome = ProfileAlias(id="p-bo").answer(node_context(own), ProfileReply(BO, "p-bo"))
    assert (outcome.port, outcome.effects) == ("unchanged", ())
    assert "undone" in outcome.reason


PROVEN = linked(stored_profile(), new_link(ANN, "proof", "pii.email:1"))


def test_a_proven_sender_without_authority_aliases_nobody_and_nothing_is_asked():
    outcome = ProfileAlias(id="p-bo").ask(replace(node_context(PROVEN), identify="link"))
    assert (outcome.port, outcome.effects) == ("unchanged", ())
    assert outcome.reason == "the profile is proven: nothing that is only claimed joins it"


def test_an_alias_with_authority_sets_claims_aside_and_joins_a_proven_profile():
    bo = linked(BO, new_link("p-bo", "proof", "pii.email:2"), new_link("p-bo-1", "proof", "pii.email:2"))
    outcome = ProfileAlias(id="p-bo").answer(node_context(PROVEN), ProfileReply(bo, "p-bo"))
    assert (outcome.port, outcome.effects) == ("merged", (Merge((new_link(ANN, "proof", "p-bo"),), bo),))


def test_a_claimed_alias_of_a_proven_profile_joins_nobody():
    bo = linked(BO, new_link("p-bo", "proof", "pii.email:2"), new_link("p-bo-1", "proof", "pii.email:2"))
    context = replace(node_context(stored_profile()), identify="link")
    outcome = ProfileAlias(id="p-bo").answer(context, ProfileReply(bo, "p-bo"))
    assert (outcome.port, outcome.effects) == ("unchanged", ())


@pytest.mark.parametrize(("identify", "kind", "mark"), [("trust", "proof", ""), ("link", "claim", "?")])
def test_the_profiles_of_two_users_are_not_joined(identify, kind, mark):
    own = linked(stored_profile(traits__user="C-1"), new_link(ANN, kind, f"{mark}traits.user:1"))
    bo = linked(stored_profile("p-bo", traits__user="C-2"), new_link("p-bo", kind, f"{mark}traits.user:2"))
    keys = KeyRules(exclusive=frozenset({("traits", "user")}))
    context = replace(node_context(own), identify=identify, keys=keys)
    outcome = ProfileAlias(id="p-bo").answer(context, ProfileReply(bo, "p-bo"))
    assert (outcome.port, outcome.effects, outcome.out) == ("other", (), {"id": ANN})
    assert outcome.reason == ("`traits.user` is `C-1` in this profile and `C-2` in the other one: they are two people")


def test_an_alias_beyond_the_ids_of_a_profile_fails_with_authority_and_joins_nobody_without():
    ids = [f"p-{turn:03}" for turn in range(MAX_IDS)]
    for identify, kind, port in (("trust", "proof", "failed"), ("link", "claim", "unchanged")):
        many = linked(stored_profile(*ids), *[new_link(id, kind, "k") for id in ids])
        context = replace(node_context(stored_profile()), identify=identify)
        outcome = ProfileAlias(id="p-000").answer(context, ProfileReply(many, "p-000"))
        assert (outcome.port, outcome.effects) == (port, ())
        assert "at most 100 ids" in outcome.reason


def test_an_unknown_id_leaves_by_missing():
    assert ProfileAlias(id="p-bo").answer(node_context(stored_profile()), ProfileReply(None)).port == "missing"


def test_no_answer_leaves_by_failed():
    assert ProfileAlias(id="p-bo").answer(node_context(stored_profile()), NoAnswer("timeout", "busy")).reason == "busy"
