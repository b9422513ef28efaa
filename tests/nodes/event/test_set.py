from engine.flow.effect import SetEvent
from nodes.event.set import EventSet
from tests.nodes.build import node_context


def test_each_path_is_set():
    outcome = EventSet(values={"properties.currency": "EUR", "context.page.title": None}).run(node_context())
    assert outcome.port == "done"
    assert outcome.effects == (
        SetEvent(("properties", "currency"), "EUR"),
        SetEvent(("context", "page", "title"), None),
    )
