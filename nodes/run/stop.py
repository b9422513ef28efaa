from typing import Annotated

from msgspec import Meta

from engine.flow.effect import Stop as StopRun
from engine.flow.node import End, Node, NodeContext, Outcome, Sole, Text


class Stop(Node, frozen=True, tag="stop"):
    """End the run as finished.

    The changes of the run so far are kept; nodes of other branches that still wait for an answer are cancelled.
    """

    reason: Annotated[Text | None, Sole(), Meta(description="The reason, for the trace", examples=["A test order"])] = (
        None
    )

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

    done = End("The run has ended; no node can follow")

    def run(self, context: NodeContext) -> Outcome:
        """End the run."""
        return self.done(effects=[StopRun()], reason=self.reason or "")
