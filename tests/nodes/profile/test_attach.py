import pytest
from msgspec.structs import replace

from engine.flow.ask import NoAnswer, ProfileById, ProfileByKey, ProfileReply
from engine.flow.effect import Attach, HoldKey
from engine.profile.document import new_profile
from engine.profile.linking import key_link, new_link
from engine.profile.operations import Set
from nodes.profile.attach import ProfileAttach
from tests.nodes.build import ANN, NOW, node_context, stored_profile

CREATED = new_profile("p-new", NOW)
CAUSE = "pii.email:1f2e"
PROVES = new_link("p-new", "proof", CAUSE)
KEY_ID = "k-1"  # the id of the key's own
NO_PROFILE = ProfileReply(None)


@pytest.mark.parametrize(
    ("node", "ask"),
    [
        pytest.param(ProfileAttach(id=" p-1"), ProfileById("p-1"), id="by id"),
        pytest.param(ProfileAttach(id="p-1", create=True), ProfileById("p-1"), id="by id, with create"),
    ],
)
def test_it_asks_for_the_profile(node, ask):
    assert node.ask(node_context()) == ask


@pytest.mark.parametrize(
    ("identify", "ask"),
    [
        pytest.param("trust", ProfileByKey("pii.email", "bo@x.de", "any", attach=True), id="with authority"),
        pytest.param("link", ProfileByKey("pii.email", "bo@x.de", "claim", attach=True, source="shop"), id="by claim"),
    ],
)
def test_by_a_key_it_asks_for_the_holder_and_for_the_id_of_the_keys_own(identify, ask):
    context = replace(node_context(), identify=identify)
    assert ProfileAttach(key={"pii.email": "Bo@X.de"}).ask(context) == ask


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
            ProfileReply(None, cause=CAUSE),
            "attached",
            (Attach(CREATED, links=(PROVES,)), HoldKey(CAUSE), Set(("pii", "email"), "bo@x.de")),
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


def holder(*links):
    """Return the profile with these links."""
    return replace(stored_profile(), links={link.id: link for link in links})


def by_key(reply, identify="trust"):
    node = ProfileAttach(key={"pii.email": "bo@x.de"})
    return node.answer(replace(node_context(), identify=identify), replace(reply, cause=CAUSE, key_id=KEY_ID))


@pytest.mark.parametrize(("claimed", "kind"), [(False, "proof"), (True, "claim")])
def test_by_a_key_the_event_acts_under_the_id_of_the_keys_own(claimed, kind):
    links = [new_link(id, kind, key_link(CAUSE, kind)) for id in (ANN, KEY_ID)]
    profile = holder(*links[:1])
    outcome = by_key(ProfileReply(profile, ANN, claimed=claimed), "link" if claimed else "trust")
    assert (outcome.port, outcome.out) == ("attached", {"id": ANN, "created": False})
    assert outcome.effects == (Attach(profile, ANN, KEY_ID, tuple(links), new_profile(KEY_ID, NOW)),)


def test_once_the_id_of_the_keys_own_is_part_of_the_profile_nothing_is_linked_again():
    profile = stored_profile(ANN, KEY_ID)
    profile = replace(profile, links={link.id: link for link in [new_link(i, "proof", CAUSE) for i in (ANN, KEY_ID)]})
    assert by_key(ProfileReply(profile, ANN)).effects == (Attach(profile, ANN, KEY_ID),)


def test_the_profile_that_has_the_id_of_the_keys_own_is_taken_along():
    """It has claimed the key before anybody proved it; the proof takes it to those who have."""
    claimers = replace(
        stored_profile("p-bo", KEY_ID),
        links={link.id: link for link in [new_link(id, "claim", f"?{CAUSE}") for id in ("p-bo", KEY_ID)]},
    )
    profile = holder(new_link(ANN, "proof", CAUSE))
    (attach,) = by_key(ProfileReply(profile, ANN, key_profile=claimers)).effects
    assert (attach.acting_id, attach.other, attach.links[-1].kind) == (KEY_ID, claimers, "proof")


@pytest.mark.parametrize("gone", [ANN, KEY_ID])
def test_an_undone_link_to_the_key_keeps_the_event_away(gone):
    profile = holder(
        *[replace(new_link(id, "proof", CAUSE), undone=5 if id == gone else 0) for id in (ANN, KEY_ID)],
    )
    outcome = by_key(ProfileReply(profile, ANN))
    assert (outcome.port, outcome.effects) == ("missing", ())
    assert "undone" in outcome.reason


def test_create_alone_creates_a_profile_without_asking():
    outcome = ProfileAttach(create=True).ask(node_context())
    assert (outcome.port, outcome.effects, outcome.out) == (
        "attached",
        (Attach(CREATED),),
        {"id": "p-new", "created": True},
    )


def test_create_alone_fails_for_an_event_that_has_a_profile():
    assert ProfileAttach(create=True).ask(node_context(stored_profile())).port == "failed"
