from typing import Annotated, Any

from msgspec import Meta

from engine.flow.node import Node, NodeContext, Outcome, Port, Sole
from engine.language.kinds import Shape
from engine.language.value import shape_of


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

    @classmethod
    def own_output(cls, config: Any) -> Shape:
        """The values by name, with the kinds of those that are literals or texts."""
        return shape_of(config)

    def run(self, context: NodeContext) -> Outcome:
        """Leave with the values."""
        return self.done(self.values)
