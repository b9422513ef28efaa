from typing import Annotated

from msgspec import Meta

from engine.flow.effect import Stop as End
from engine.flow.node import Node, Outcome, Port, Seen, Sole, Text


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

    done = Port("The run has ended; nothing can follow")

    def run(self, seen: Seen) -> Outcome:
        """End the run."""
        return self.done(effects=[End()], reason=self.reason or "")
