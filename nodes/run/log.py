from typing import Annotated, Literal

from msgspec import Meta

from engine.flow.effect import Log as Line
from engine.flow.node import Fixed, Node, NodeContext, Outcome, Port, Sole, Text


class Log(Node, frozen=True, tag="log"):
    """Write a line to the run's log.

    The text may stand alone (`log: "…"`) or beside a level (`log: {message: "…", level: warning}`).
    """

    message: Annotated[Text, Sole(), Meta(description="What to write", examples=["No offer for {{ profile.id }}"])]
    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Fixed(),
        Meta(description="How grave it is", examples=["warning"]),
    ] = "info"

    examples = (
        """\
noted:
  log: "An order of {{ event.properties.total }} came in"
""",
        """\
noted:
  log: {message: "No e-mail address in {{ event.id }}", level: warning}
""",
    )

    done = Port("The line is written", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Write the line."""
        return self.done(effects=[Line(self.level, self.message)])
