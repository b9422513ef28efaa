import pytest
from msgspec.structs import replace

from engine.flow.ask import NoAnswer, ProfileById, ProfileByKey, ProfileReply
from engine.profile.linking import new_link
from nodes.lookup.profile import LookupProfile
from tests.nodes.build import ANN, node_context, stored_profile


@pytest.mark.parametrize(
    ("node", "ask"),
    [
        pytest.param(LookupProfile(id=" p-1 "), ProfileById("p-1"), id="by id"),
        pytest.param(
            LookupProfile(key={"pii.email": " Bo@X.de"}), ProfileByKey("pii.email", "bo@x.de"), id="by key, normalized"
        ),
    ],
)
def test_it_asks_for_the_profile(node, ask):
    assert node.ask(node_context(stored_profile())) == ask


PROOF = new_link(ANN, "proof", "pii.email:1")


@pytest.mark.parametrize(
    ("identify", "proven", "kind"),
    [
        pytest.param("link", True, "proof", id="a proven sender does not find what is only claimed"),
        pytest.param("refuse", True, "proof", id="nor at a source that refuses claims"),
        pytest.param("trust", True, "any", id="a source with authority finds both"),
        pytest.param("link", False, "any", id="a sender of whom nothing is proven finds both"),
    ],
)
def test_the_sender_decides_which_keys_it_finds(identify, proven, kind):
    own = replace(stored_profile(), links={PROOF.id: PROOF} if proven else {})
    context = replace(node_context(own), identify=identify)
    assert LookupProfile(key={"pii.email": "bo@x.de"}).ask(context) == ProfileByKey("pii.email", "bo@x.de", kind)


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(LookupProfile(), id="neither id nor key"),
        pytest.param(LookupProfile(id="p-1", key={"pii.email": "bo@x.de"}), id="both"),
        pytest.param(LookupProfile(id="null"), id="a placeholder as id"),
        pytest.param(LookupProfile(key={"pii.email": "undefined"}), id="a placeholder as key"),
    ],
)
def test_a_config_that_identifies_no_profile_leaves_by_failed(node):
    outcome = node.ask(node_context())
    assert outcome.port == "failed"
    assert outcome.reason


def test_the_output_is_the_view_of_the_profile():
    outcome = LookupProfile(id="p-bo").answer(node_context(), ProfileReply(stored_profile("p-bo", traits__tier="gold")))
    assert outcome.port == "found"
    assert (outcome.out["id"], outcome.out["traits"], outcome.effects) == ("p-bo", {"tier": "gold"}, ())


@pytest.mark.parametrize(
    ("reply", "port"),
    [
        pytest.param(ProfileReply(None), "missing", id="there is no such profile"),
        pytest.param(NoAnswer("timeout", "the store is busy"), "failed", id="the store does not answer"),
    ],
)
def test_a_reply_without_a_profile_leaves_by_missing_or_failed(reply, port):
    outcome = LookupProfile(id="p-1").answer(node_context(), reply)
    assert outcome.port == port
    assert outcome.reason
