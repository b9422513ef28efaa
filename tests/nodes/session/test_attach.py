import pytest
from msgspec.structs import replace

from engine.flow.ask import NoAnswer, SessionById, SessionReply
from engine.flow.effect import AttachSession
from engine.profile.key import KeyRules
from nodes.session.attach import SessionAttach
from tests.nodes.build import node_context

STORED = {"id": "s-1", "created": 1, "properties": {"campaign": "spring"}, "context": {}}


@pytest.mark.parametrize("id", ["s-1", " s-1 "], ids=["without spaces", "with spaces"])
def test_it_asks_for_the_session(id):
    assert SessionAttach(id=id).ask(node_context()) == SessionById("s-1")


@pytest.mark.parametrize(
    ("id", "session", "port"),
    [
        pytest.param("s-1", {"id": "s-1"}, "attached", id="the event has this session already"),
        pytest.param("s-1", {"id": "s-2"}, "failed", id="the event has another session"),
        pytest.param("undefined", None, "failed", id="a placeholder as id"),
        pytest.param("s" * 201, None, "failed", id="an id that is too long"),
    ],
)
def test_without_an_ask_it_attaches_nothing(id, session, port):
    outcome = SessionAttach(id=id).ask(node_context(session=session))
    assert (outcome.port, outcome.effects) == (port, ())
    assert bool(outcome.reason) == (port == "failed")


def test_a_value_that_the_project_lists_leaves_by_failed():
    rules = KeyRules(never=frozenset({"kiosk"}))
    outcome = SessionAttach(id=" Kiosk").ask(replace(node_context(), keys=rules))
    assert (outcome.port, outcome.reason) == (
        "failed",
        "`Kiosk` at `id` identifies no person: `merging.never` in headrace.yaml lists it",
    )


def test_the_session_of_the_reply_is_attached():
    outcome = SessionAttach(id="s-1").answer(node_context(), SessionReply(STORED, 3, "p-ann"))
    assert (outcome.port, outcome.out) == ("attached", {"id": "s-1"})
    assert outcome.effects == (AttachSession(STORED, 3, "p-ann"),)


def test_no_answer_leaves_by_failed():
    outcome = SessionAttach(id="s-1").answer(node_context(), NoAnswer("timeout", "the store is busy"))
    assert (outcome.port, outcome.reason, outcome.effects) == ("failed", "the store is busy", ())
