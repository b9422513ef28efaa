import pytest

from engine.flow.effect import SetState
from nodes.state.set import StateSet
from tests.nodes.build import node_context


def test_the_value_is_stored():
    outcome = StateSet(key="cursor", value={"page": 2}).run(node_context())
    assert (outcome.port, outcome.effects) == ("done", (SetState("cursor", {"page": 2}),))


@pytest.mark.parametrize("key", ["", " ", "k" * 201], ids=["empty", "blank", "too long"])
def test_an_invalid_key_leaves_by_failed(key):
    outcome = StateSet(key=key, value=1).run(node_context())
    assert (outcome.port, outcome.effects) == ("failed", ())
