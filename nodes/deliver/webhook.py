import re
from typing import Annotated, Any

from msgspec import Meta, field

from engine.flow.message import Message, WebhookMessage
from engine.flow.node import Fixed, NodeContext, Reference, Text
from nodes.delivery import Delivery, Path
from nodes.request import encoded_path, path_defect

_TYPE = re.compile(r"[\w-]+(?:\.[\w-]+)*", re.ASCII)
_MAX_LENGTH = 200  # characters of a type


class DeliverWebhook(Delivery, frozen=True, kw_only=True, tag="deliver.webhook", tag_field="node"):
    """Send a signed webhook to a target after the event is committed.

    It is signed as the Standard Webhooks specification says, with the `secret` of the target: the receiver verifies it
    by a library of that specification. The body has `type`, `timestamp` and `data`. It is sent again for days until
    the receiver answers with a status of 200 to 299, each time with the same `webhook-id`.
    """

    target: Annotated[
        str,
        Fixed(),
        Reference("signed-target"),
        Meta(description="The name of the target in headrace.yaml, which has a `secret`", examples=["crm"]),
    ]
    type: Annotated[Text, Meta(description="The type of the webhook: words, joined by dots", examples=["order.paid"])]
    data: Annotated[
        Any,
        Meta(description="What has happened, as JSON", examples=["{{ event.properties }}"]),
    ] = field(default_factory=dict)
    path: Path = "/"

    examples = (
        """\
paid:
  deliver.webhook: {target: crm, type: order.paid, data: "{{ event.properties }}"}
""",
    )

    def message(self, context: NodeContext) -> Message | str:
        """Return the webhook, or why its path or type is not valid."""
        if reason := path_defect(self.path):
            return reason
        if len(self.type) > _MAX_LENGTH or not _TYPE.fullmatch(self.type):
            return f"the type of a webhook is words of letters, digits, - and _, joined by dots, at most {_MAX_LENGTH}"
        return WebhookMessage(self.type, self.data, context.now, encoded_path(self.path))
