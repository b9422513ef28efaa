from typing import Annotated

from msgspec import Meta

from engine.flow.effect import Stop as Stopping
from engine.flow.node import End, Node, NodeContext, Outcome, Sole, Text


class Stop(Node, frozen=True, tag="stop"):
    """End the run here, as finished.

    What the run has done so far counts; what other branches still wait for is cancelled.
    """

    reason: Annotated[
        Text | None, Sole(), Meta(description="Why, for whoever reads the trace", examples=["A test order"])
    ] = None

    examples = (
        """\
not_ours:
  stop: The order belongs to another shop
""",
        """\
enough:
  stop:
""",
    )

    done = End("The run has ended; nothing can follow")

    def run(self, context: NodeContext) -> Outcome:
        """End the run."""
        return self.done(effects=[Stopping()], reason=self.reason or "")
