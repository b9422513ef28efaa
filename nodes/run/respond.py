from typing import Annotated, Any

from msgspec import Meta

from engine.flow.effect import Respond as Response
from engine.flow.node import Node, NodeContext, Outcome, Port, Sole


class Respond(Node, frozen=True, tag="respond"):
    """Add values to `response` in the answer to the sender of the event.

    A later value under the same name replaces the earlier one.
    """

    values: Annotated[
        dict[str, Any],
        Sole(),
        Meta(description="The values, by name", examples=[{"banner": "Welcome back"}], min_length=1),
    ]

    examples = (
        """\
greet:
  respond: {banner: "Welcome, {{ profile.traits.name | default('friend') }}"}
""",
    )
    uses_sender = True

    done = Port("The values are in the answer", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Add the values."""
        return self.done(effects=[Response(self.values)])
