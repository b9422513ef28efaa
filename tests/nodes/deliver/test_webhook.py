import pytest

from engine.flow.effect import Deliver
from engine.flow.message import WebhookMessage
from nodes.deliver.webhook import DeliverWebhook
from tests.nodes.build import NOW, node_context


def test_it_delivers_an_event_of_the_time_of_the_unit():
    node = DeliverWebhook(target="partner", type="order.paid", data={"total": 5}, path="/hooks/ü")
    expected = WebhookMessage("order.paid", {"total": 5}, NOW, "/hooks/%C3%BC")
    assert node.run(node_context()).effects == (Deliver("partner", expected),)


@pytest.mark.parametrize("type", ["", "order paid", "order.", ".paid", "order..paid", "order\n", "ö", "a" * 201])
def test_a_type_that_receivers_cannot_take_leaves_by_failed(type):
    outcome = DeliverWebhook(target="partner", type=type).run(node_context())
    assert outcome.port == "failed"
    assert "type of a webhook" in outcome.reason


def test_an_unsafe_path_leaves_by_failed():
    assert DeliverWebhook(target="partner", type="a", path="/../x").run(node_context()).port == "failed"
