from typing import Annotated, Any

from msgspec import Meta

from engine.flow.node import Node, NodeContext, Outcome, Port, Sole


class Let(Node, frozen=True, tag="let"):
    """Compute values that later nodes read as `nodes.<id>.out.<name>`."""

    values: Annotated[
        dict[str, Any],
        Sole(),
        Meta(
            description="The values, by name", examples=[{"net": "{{ event.properties.total / 1.19 }}"}], min_length=1
        ),
    ]

    examples = (
        """\
amounts:
  let: {net: "{{ event.properties.total / 1.19 }}", currency: EUR}
""",
    )

    done = Port("The values are the node's output", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Leave with the values."""
        return self.done(self.values)
