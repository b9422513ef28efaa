import pytest

from engine.flow.ask import NoAnswer, ProfileById, ProfileByKey, ProfileReply
from nodes.lookup.profile import LookupProfile
from tests.nodes.build import person, seen


@pytest.mark.parametrize(
    ("node", "ask"),
    [
        pytest.param(LookupProfile(id=" p-1 "), ProfileById("p-1"), id="by id"),
        pytest.param(
            LookupProfile(key={"pii.email": " Bo@X.de"}), ProfileByKey("pii.email", "bo@x.de"), id="by key, in one form"
        ),
    ],
)
def test_it_asks_for_the_profile(node, ask):
    assert node.ask(seen(person())) == ask


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(LookupProfile(), id="neither id nor key"),
        pytest.param(LookupProfile(id="p-1", key={"pii.email": "bo@x.de"}), id="both"),
        pytest.param(LookupProfile(id="null"), id="a placeholder as id"),
        pytest.param(LookupProfile(key={"pii.email": "undefined"}), id="a placeholder as key"),
    ],
)
def test_nobody_can_be_meant(node):
    outcome = node.ask(seen())
    assert outcome.port == "failed"
    assert outcome.reason


def test_the_profile_is_given_as_flows_see_it():
    outcome = LookupProfile(id="p-bo").answer(seen(), ProfileReply(person("p-bo", traits__tier="gold")))
    assert outcome.port == "found"
    assert (outcome.out["id"], outcome.out["traits"], outcome.effects) == ("p-bo", {"tier": "gold"}, ())


@pytest.mark.parametrize(
    ("reply", "port"),
    [
        pytest.param(ProfileReply(None), "missing", id="nobody has it"),
        pytest.param(NoAnswer("timeout", "the store is busy"), "failed", id="the store does not answer"),
    ],
)
def test_no_profile(reply, port):
    outcome = LookupProfile(id="p-1").answer(seen(), reply)
    assert outcome.port == port
    assert outcome.reason
