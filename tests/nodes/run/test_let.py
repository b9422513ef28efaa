from nodes.run.let import Let
from tests.nodes.build import node_context


def test_the_values_are_the_output():
    outcome = Let(values={"net": 84.03, "currency": "EUR"}).run(node_context())
    assert (outcome.port, outcome.out, outcome.effects) == ("done", {"net": 84.03, "currency": "EUR"}, ())
