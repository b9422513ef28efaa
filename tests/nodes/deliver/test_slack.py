import pytest

from engine.flow.effect import Deliver
from engine.flow.message import HttpMessage
from nodes.deliver.slack import DeliverSlack
from tests.nodes.build import node_context
from tests.nodes.example import node_of


def test_it_delivers_the_request_of_an_incoming_webhook():
    node = DeliverSlack(target="team", text="p-1 became VIP")
    assert node.run(node_context()).effects == (Deliver("team", HttpMessage(body={"text": "p-1 became VIP"})),)


@pytest.mark.parametrize("text", ["", "  ", "a" * 40_001], ids=["empty", "blank", "too long"])
def test_a_text_that_slack_refuses_leaves_by_failed(text):
    assert DeliverSlack(target="team", text=text).run(node_context()).port == "failed"


def test_values_cannot_mention_a_channel():
    text = "{{ event.properties.brand ~ '<!channel>' }}"
    node = node_of(f'm: {{deliver.slack: {{target: crm, text: "<!here> {text}"}}}}')
    assert isinstance(node, DeliverSlack)
    assert node.text == "<!here> Mill &amp; Co&lt;!channel&gt;"
