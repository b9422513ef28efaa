import pytest

from engine.flow.ask import NoAnswer, ProfileById, ProfileByKey, ProfileReply
from engine.flow.effect import Attach, ClaimKey
from engine.profile.document import new_profile
from engine.profile.operations import Set
from nodes.profile.attach import ProfileAttach
from tests.nodes.build import ANN, NOW, node_context, stored_profile

CREATED = new_profile("p-new", NOW)
NO_PROFILE = ProfileReply(None)


@pytest.mark.parametrize(
    ("node", "ask"),
    [
        pytest.param(ProfileAttach(id=" p-1"), ProfileById("p-1"), id="by id"),
        pytest.param(ProfileAttach(key={"pii.email": "Bo@X.de"}), ProfileByKey("pii.email", "bo@x.de"), id="by key"),
        pytest.param(ProfileAttach(id="p-1", create=True), ProfileById("p-1"), id="by id, with create"),
    ],
)
def test_it_asks_for_the_profile(node, ask):
    assert node.ask(node_context()) == ask


@pytest.mark.parametrize(
    "node",
    [
        pytest.param(ProfileAttach(), id="neither id nor key"),
        pytest.param(ProfileAttach(id="p-1", key={"pii.email": "bo@x.de"}), id="both"),
        pytest.param(ProfileAttach(id="undefined"), id="a placeholder as id"),
        pytest.param(ProfileAttach(key={"pii.email": "null"}, create=True), id="a placeholder as key, with create"),
    ],
)
def test_a_config_that_identifies_no_profile_leaves_by_failed(node):
    outcome = node.ask(node_context())
    assert (outcome.port, outcome.effects) == ("failed", ())
    assert outcome.reason


@pytest.mark.parametrize(
    ("node", "own", "reply", "port", "effects"),
    [
        pytest.param(
            ProfileAttach(id=ANN),
            None,
            ProfileReply(stored_profile()),
            "attached",
            (Attach(stored_profile()),),
            id="found",
        ),
        pytest.param(ProfileAttach(id="p-1"), None, NO_PROFILE, "missing", (), id="not found"),
        pytest.param(
            ProfileAttach(id="p-1", create=True), None, NO_PROFILE, "attached", (Attach(CREATED),), id="created"
        ),
        pytest.param(
            ProfileAttach(key={"pii.email": "Bo@X.de"}, create=True),
            None,
            NO_PROFILE,
            "attached",
            (Attach(CREATED), ClaimKey("pii.email", "bo@x.de"), Set(("pii", "email"), "bo@x.de")),
            id="created with the key",
        ),
        pytest.param(
            ProfileAttach(id=ANN),
            stored_profile(),
            ProfileReply(stored_profile()),
            "attached",
            (),
            id="the event has this profile already",
        ),
        pytest.param(
            ProfileAttach(id="p-old"),
            stored_profile(ANN, "p-old"),
            ProfileReply(stored_profile(ANN, "p-old")),
            "attached",
            (),
            id="the event has this profile under another id",
        ),
        pytest.param(
            ProfileAttach(id="p-bo"),
            stored_profile(),
            ProfileReply(stored_profile("p-bo")),
            "failed",
            (),
            id="the event has another profile",
        ),
        pytest.param(
            ProfileAttach(id="p-bo", create=True),
            stored_profile(),
            NO_PROFILE,
            "failed",
            (),
            id="the event has a profile, so none is created",
        ),
        pytest.param(
            ProfileAttach(id="p-1"), None, NoAnswer("timeout", "the store is busy"), "failed", (), id="no answer"
        ),
    ],
)
def test_the_reply_chooses_the_port_and_the_effects(node, own, reply, port, effects):
    outcome = node.answer(node_context(own), reply)
    assert (outcome.port, outcome.effects) == (port, effects)
    assert bool(outcome.reason) == (port != "attached")


def test_create_alone_creates_a_profile_without_asking():
    outcome = ProfileAttach(create=True).ask(node_context())
    assert (outcome.port, outcome.effects, outcome.out) == (
        "attached",
        (Attach(CREATED),),
        {"id": "p-new", "created": True},
    )


def test_create_alone_fails_for_an_event_that_has_a_profile():
    assert ProfileAttach(create=True).ask(node_context(stored_profile())).port == "failed"
