from typing import Annotated

from msgspec import Meta

from engine.flow.node import Condition, Node, NodeContext, Outcome, Port, Sole

THEN, ELSE = Outcome("then"), Outcome("else")


class If(Node, frozen=True, tag="if"):
    """Choose between two ports by a condition.

    An absent value equals nothing, so a comparison with it is false.
    """

    condition: Annotated[
        Condition,
        Sole(),
        Meta(description="The condition, as an expression without {{ }}", examples=["event.properties.total > 100"]),
    ]

    examples = (
        """\
big_spender:
  if: profile.traits.revenue >= 500 and 'vip' not in profile.segments
""",
    )

    then = Port("The condition is true", main=True)
    vars()["else"] = Port("The condition is false")  # `else` is a keyword of Python, so it cannot be assigned by name

    def run(self, context: NodeContext) -> Outcome:
        """Leave by `then` or by `else`."""
        return THEN if self.condition else ELSE
