from typing import Annotated, Any

from msgspec import Meta, field

from engine.flow.effect import Emit
from engine.flow.node import Node, NodeContext, Outcome, Port, Text

_LONGEST = 200  # characters


class EventEmit(Node, frozen=True, tag="event.emit", tag_field="node"):
    """Emit a further event, which runs through the flows before the next event of the payload.

    It belongs to the same session and profile, and names this event as its parent.
    """

    type: Annotated[Text, Meta(description="The type of the new event", examples=["order-is-big"])]
    properties: Annotated[
        dict[str, Any],
        Meta(description="The properties of the new event", examples=[{"total": "{{ event.properties.total }}"}]),
    ] = field(default_factory=dict)

    examples = (
        """\
tell:
  event.emit: {type: order-is-big, properties: {total: "{{ event.properties.total }}"}}
""",
    )

    done = Port("The new event will run", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Emit the event, if its type can be one."""
        kind = self.type.strip()
        if not kind or len(kind) > _LONGEST or not kind.isprintable():
            return self.failed(reason=f"an event type is a text of 1 to {_LONGEST} printable characters")
        return self.done(effects=[Emit(kind, self.properties)])
