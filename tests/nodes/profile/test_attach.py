import pytest

from engine.flow.ask import NoAnswer, ProfileById, ProfileByKey, ProfileReply
from engine.flow.effect import Attach, ClaimKey
from engine.profile.document import new_profile
from engine.profile.operations import Set
from nodes.profile.attach import ProfileAttach
from tests.nodes.build import ANN, NOW, person, seen

MADE = new_profile("p-new", NOW)
NOBODY = ProfileReply(None)


@pytest.mark.parametrize(
    ("node", "ask"),
    [
        pytest.param(ProfileAttach(id=" p-1"), ProfileById("p-1"), id="by id"),
        pytest.param(ProfileAttach(key={"pii.email": "Bo@X.de"}), ProfileByKey("pii.email", "bo@x.de"), id="by key"),
        pytest.param(ProfileAttach(id="p-1", create=True), ProfileById("p-1"), id="by id, to be made if it is missing"),
    ],
)
def test_it_asks_for_the_profile(node, ask):
    assert node.ask(seen()) == ask


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(ProfileAttach(), id="neither id nor key"),
        pytest.param(ProfileAttach(id="p-1", key={"pii.email": "bo@x.de"}), id="both"),
        pytest.param(ProfileAttach(id="undefined"), id="a placeholder as id"),
        pytest.param(
            ProfileAttach(key={"pii.email": "null"}, create=True), id="a placeholder as key, though to be made"
        ),
    ],
)
def test_nobody_can_be_meant(node):
    outcome = node.ask(seen())
    assert (outcome.port, outcome.effects) == ("failed", ())
    assert outcome.reason


@pytest.mark.parametrize(
    ("node", "own", "reply", "port", "effects"),
    [
        pytest.param(ProfileAttach(id=ANN), None, ProfileReply(person()), "attached", (Attach(person()),), id="found"),
        pytest.param(ProfileAttach(id="p-1"), None, NOBODY, "missing", (), id="not found"),
        pytest.param(ProfileAttach(id="p-1", create=True), None, NOBODY, "attached", (Attach(MADE),), id="made"),
        pytest.param(
            ProfileAttach(key={"pii.email": "Bo@X.de"}, create=True),
            None,
            NOBODY,
            "attached",
            (Attach(MADE), ClaimKey("pii.email", "bo@x.de"), Set(("pii", "email"), "bo@x.de")),
            id="made, with the key",
        ),
        pytest.param(
            ProfileAttach(id=ANN), person(), ProfileReply(person()), "attached", (), id="the event has it already"
        ),
        pytest.param(
            ProfileAttach(id="p-old"),
            person(ANN, "p-old"),
            ProfileReply(person(ANN, "p-old")),
            "attached",
            (),
            id="the event has it under another id",
        ),
        pytest.param(
            ProfileAttach(id="p-bo"), person(), ProfileReply(person("p-bo")), "failed", (), id="it has another one"
        ),
        pytest.param(
            ProfileAttach(id="p-bo", create=True),
            person(),
            NOBODY,
            "failed",
            (),
            id="it has one, and needs no new one",
        ),
        pytest.param(
            ProfileAttach(id="p-1"), None, NoAnswer("timeout", "the store is busy"), "failed", (), id="no answer"
        ),
    ],
)
def test_the_reply_decides(node, own, reply, port, effects):
    outcome = node.answer(seen(own), reply)
    assert (outcome.port, outcome.effects) == (port, effects)
    assert bool(outcome.reason) == (port != "attached")


def test_create_alone_makes_a_profile_without_asking():
    outcome = ProfileAttach(create=True).ask(seen())
    assert (outcome.port, outcome.effects, outcome.out) == (
        "attached",
        (Attach(MADE),),
        {"id": "p-new", "created": True},
    )


def test_create_alone_makes_none_for_an_event_that_has_one():
    assert ProfileAttach(create=True).ask(seen(person())).port == "failed"
