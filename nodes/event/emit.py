from typing import Annotated, Any

from msgspec import Meta, field

from engine.flow.effect import Emit
from engine.flow.node import Node, NodeContext, Outcome, Port, Text

_MAX_LENGTH = 200  # characters of an event type


class EventEmit(Node, frozen=True, tag="event.emit", tag_field="node"):
    """Emit a child event. The flows process it before the next event of the payload.

    The child event has the session and the profile of this event, and this event as its parent.
    """

    type: Annotated[Text, Meta(description="The type of the new event", examples=["order-is-big"])]
    properties: Annotated[
        dict[str, Any],
        Meta(description="The properties of the new event", examples=[{"total": "{{ event.properties.total }}"}]),
    ] = field(default_factory=dict)

    examples = (
        """\
notify:
  event.emit: {type: order-is-big, properties: {total: "{{ event.properties.total }}"}}
""",
    )

    done = Port("The flows will process the new event", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Emit the event; leave by `failed` when its type is not valid."""
        kind = self.type.strip()
        if not kind or len(kind) > _MAX_LENGTH or not kind.isprintable():
            return self.failed(reason=f"an event type is a text of 1 to {_MAX_LENGTH} printable characters")
        return self.done(effects=[Emit(kind, self.properties)])
