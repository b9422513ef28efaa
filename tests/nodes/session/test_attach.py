import pytest

from engine.flow.ask import NoAnswer, SessionById, SessionReply
from engine.flow.effect import AttachSession
from nodes.session.attach import SessionAttach
from tests.nodes.build import seen

STORED = {"id": "s-1", "created": 1, "properties": {"campaign": "spring"}, "context": {}}


@pytest.mark.parametrize("id", ["s-1", " s-1 "], ids=["as it is", "stripped"])
def test_it_asks_for_the_session(id):
    assert SessionAttach(id=id).ask(seen()) == SessionById("s-1")


@pytest.mark.parametrize(
    ("id", "session", "port"),
    [
        pytest.param("s-1", {"id": "s-1"}, "attached", id="the very session is attached already"),
        pytest.param("s-1", {"id": "s-2"}, "failed", id="another session is kept"),
        pytest.param("undefined", None, "failed", id="a placeholder is no id"),
        pytest.param("s" * 201, None, "failed", id="nor is a very long text"),
    ],
)
def test_there_is_nothing_to_ask(id, session, port):
    outcome = SessionAttach(id=id).ask(seen(session=session))
    assert (outcome.port, outcome.effects) == (port, ())
    assert bool(outcome.reason) == (port == "failed")


def test_what_was_found_is_attached():
    outcome = SessionAttach(id="s-1").answer(seen(), SessionReply(STORED, 3, "p-ann"))
    assert (outcome.port, outcome.out) == ("attached", {"id": "s-1"})
    assert outcome.effects == (AttachSession(STORED, 3, "p-ann"),)


def test_no_answer_leaves_by_failed():
    outcome = SessionAttach(id="s-1").answer(seen(), NoAnswer("timeout", "the store is busy"))
    assert (outcome.port, outcome.reason, outcome.effects) == ("failed", "the store is busy", ())
