from engine.flow.effect import SetSession
from nodes.session.set import SessionSet
from tests.nodes.build import node_context

SESSION = {"id": "s-1", "created": 1, "properties": {}, "context": {}}


def test_each_path_is_set():
    outcome = SessionSet(values={"properties.campaign": "spring", "properties.a.b": 1}).run(
        node_context(session=SESSION)
    )
    assert outcome.port == "done"
    assert outcome.effects == (
        SetSession(("properties", "campaign"), "spring"),
        SetSession(("properties", "a", "b"), 1),
    )


def test_an_event_without_a_session_leaves_by_failed():
    outcome = SessionSet(values={"properties.campaign": "spring"}).run(node_context())
    assert (outcome.port, outcome.reason, outcome.effects) == ("failed", "no session", ())
