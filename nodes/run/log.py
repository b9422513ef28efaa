from typing import Annotated, Literal

from msgspec import Meta

from engine.flow.effect import Log as LogLine
from engine.flow.node import Fixed, Node, NodeContext, Outcome, Port, Sole, Text


class Log(Node, frozen=True, tag="log"):
    """Write a line to the run's log.

    The text may be written alone (`log: "…"`) or with a level (`log: {message: "…", level: warning}`).
    """

    message: Annotated[
        Text, Sole(), Meta(description="The text of the line", examples=["No offer for {{ profile.id }}"])
    ]
    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Fixed(),
        Meta(description="The level of the line", examples=["warning"]),
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

    done = Port("The line is in the log", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Write the line."""
        return self.done(effects=[LogLine(self.level, self.message)])
