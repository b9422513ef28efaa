from typing import Annotated

from msgspec import Meta

from engine.flow.message import HttpMessage, Message
from engine.flow.node import Escaped, NodeContext, Text
from nodes.delivery import Delivery

_MAX_LENGTH = 40_000  # characters; Slack refuses longer ones


def _escaped(text: str) -> str:
    """Return a text in which Slack sees no link, and no mention that would notify a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class DeliverSlack(Delivery, frozen=True, kw_only=True, tag="deliver.slack"):
    """Send a text to a channel of Slack after the event is committed.

    The target's url is that of an incoming webhook, which is a secret: `url: ${env:SLACK_URL}`.
    """

    text: Annotated[
        Text,
        Escaped("escaped", _escaped),
        Meta(description="The text of the message", examples=["{{ profile.id }} became VIP"]),
    ]

    examples = (
        """\
celebrate:
  deliver.slack: {target: crm, text: "Order {{ event.properties.order_id }} is paid"}
""",
    )

    def message(self, context: NodeContext) -> Message | str:
        """Return the request of an incoming webhook, or why the text cannot be sent."""
        if not 0 < len(self.text.strip()) <= len(self.text) <= _MAX_LENGTH:
            return f"`text` has 1 to {_MAX_LENGTH:,} characters"
        return HttpMessage(body={"text": self.text})
