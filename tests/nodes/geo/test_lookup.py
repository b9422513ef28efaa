import pytest

from engine.flow.ask import GeoAsk, GeoReply, NoAnswer
from nodes.geo.lookup import GeoLookup
from tests.nodes.build import node_context


def test_it_asks_for_the_address():
    assert GeoLookup(address=" 192.0.2.1 ").ask(node_context()) == GeoAsk("192.0.2.1")


def test_an_empty_address_leaves_by_missing():
    assert GeoLookup(address=" ").ask(node_context()).port == "missing"


@pytest.mark.parametrize(("reply", "port", "out"), [
    (GeoReply({"country": "DE"}), "found", {"country": "DE"}),
    (GeoReply(None), "missing", None),
    (NoAnswer("refused", "no database"), "failed", None),
])  # fmt: skip
def test_the_port_follows_from_the_reply(reply, port, out):
    outcome = GeoLookup(address="192.0.2.1").answer(node_context(), reply)
    assert (outcome.port, outcome.out) == (port, out)
