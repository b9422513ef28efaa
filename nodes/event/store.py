from typing import Annotated, Any

from msgspec import Meta, field

from engine.flow.effect import Emit
from engine.flow.message import Elsewhere
from engine.flow.node import Node, NodeContext, Outcome, Port, Text

_MAX_LENGTH = 200  # characters of an event type
_AN_ID = "is a text or a whole number"


class EventStore(Node, frozen=True, tag="event.store", tag_field="node"):
    """Store an event that has happened elsewhere, such as an order of the shop's system, for its person.

    The event is stored and processed after the firing, as a unit of its own: it triggers the flows that take its type.
    With an `id` it takes effect once, however often this flow finds it, within the deduplication window.
    """

    type: Annotated[Text, Meta(description="The type of the event", examples=["order-placed"])]
    id: Annotated[
        Any, Meta(description="What names it there, among the events of this flow", examples=["{{ item.number }}"])
    ] = None
    time: Annotated[Any, Meta(description="When it happened; now if left out", examples=["{{ item.placed_at }}"])] = (
        None
    )
    user: Annotated[
        Any, Meta(description="The id of its user, as in payloads of /track", examples=["{{ item.customer }}"])
    ] = None
    visitor: Annotated[Any, Meta(description="The id of the user's device", examples=["{{ item.device }}"])] = None
    properties: Annotated[
        dict[str, Any], Meta(description="The properties of the event", examples=[{"total": "{{ item.total }}"}])
    ] = field(default_factory=dict)

    uses_task = True
    without_task = "`event.emit` emits an event of the person whose event this is"
    examples = (
        """\
order:
  event.store: {type: order-placed, id: A-4711, user: C-2002, properties: {total: 41.9}}
""",
    )

    done = Port("The event will be stored", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Store the event; leave by `failed` when its type or an id is not valid."""
        kind = self.type.strip()
        if not kind or len(kind) > _MAX_LENGTH or not kind.isprintable():
            return self.failed(reason=f"an event type is a text of 1 to {_MAX_LENGTH} printable characters")
        ids: dict[str, str] = {}
        for name, value in (("id", self.id), ("user", self.user), ("visitor", self.visitor)):
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
                return self.failed(reason=f"`{name}` {_AN_ID}")
            ids[name] = str(value)
        return self.done(effects=[Emit(kind, self.properties, Elsewhere(time=self.time, **ids))])
