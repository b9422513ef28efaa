from typing import Annotated

from msgspec import Meta

from engine.flow.node import Node, NodeContext, Outcome, Sole, Text


class Fail(Node, frozen=True, tag="fail"):
    """Leave by `failed`, which ends the run as failed unless the port is wired.

    The event and the trace are stored; the changes of the run are dropped.
    """

    reason: Annotated[Text, Sole(), Meta(description="The reason, for the trace", examples=["The total is negative"])]

    examples = (
        """\
refuse:
  fail: "A negative total: {{ event.properties.total }}"
""",
    )

    def run(self, context: NodeContext) -> Outcome:
        """Fail for the given reason."""
        return self.failed(reason=self.reason)
