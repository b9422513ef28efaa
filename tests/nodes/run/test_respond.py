from engine.flow.effect import Respond as Response
from nodes.run.respond import Respond
from tests.nodes.build import node_context


def test_the_values_go_into_the_answer():
    outcome = Respond(values={"banner": "Welcome, VIP", "offers": [1, 2]}).run(node_context())
    assert (outcome.port, outcome.effects) == ("done", (Response({"banner": "Welcome, VIP", "offers": [1, 2]}),))
