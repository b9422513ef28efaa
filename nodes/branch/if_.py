from typing import Annotated

from msgspec import Meta

from engine.flow.node import Condition, Node, NodeContext, Outcome, Port, Sole

THEN, ELSE = Outcome("then"), Outcome("else")


class If(Node, frozen=True, tag="if"):
    """Go one way when a condition holds, the other way when it does not.

    What is absent equals nothing, so a condition about it is false.
    """

    condition: Annotated[
        Condition,
        Sole(),
        Meta(description="What is asked, as a bare expression", examples=["event.properties.total > 100"]),
    ]

    examples = (
        """\
big_spender:
  if: profile.traits.revenue >= 500 and 'vip' not in profile.segments
""",
    )

    then = Port("The condition holds", main=True)
    vars()["else"] = Port("The condition does not hold")  # a keyword of Python, so it cannot be assigned as a name

    def run(self, context: NodeContext) -> Outcome:
        """Leave by `then` or by `else`."""
        return THEN if self.condition else ELSE
