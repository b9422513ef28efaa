from typing import Annotated, Any

from msgspec import Meta

from engine.flow.effect import SetEvent
from engine.flow.node import Keys, Node, NodeContext, Outcome, Port, Sole
from engine.language.path import parse_path


class EventSet(Node, frozen=True, tag="event.set"):
    """Set properties or context of the event, for later nodes and for the stored event."""

    values: Annotated[
        dict[str, Any],
        Sole(),
        Keys("properties", "context"),
        Meta(description="The new values, by path", examples=[{"properties.currency": "EUR"}], min_length=1),
    ]

    examples = (
        """\
normalise:
  event.set: {properties.currency: "{{ event.properties.currency | default('EUR') | upper }}"}
""",
    )

    done = Port("The event has the new values", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Set the values."""
        return self.done(effects=[SetEvent(parse_path(path), value) for path, value in self.values.items()])
