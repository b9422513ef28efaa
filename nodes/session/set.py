from typing import Annotated, Any

from msgspec import Meta

from engine.flow.effect import SetSession
from engine.flow.node import Keys, Node, NodeContext, Outcome, Port, Sole
from engine.language.path import parse_path


class SessionSet(Node, frozen=True, tag="session.set"):
    """Set properties of the session."""

    values: Annotated[
        dict[str, Any],
        Sole(),
        Keys("properties"),
        Meta(description="The new values, by path", examples=[{"properties.campaign": "spring"}], min_length=1),
    ]

    examples = (
        """\
campaign:
  session.set: {properties.campaign: "{{ event.context.campaign }}"}
""",
    )
    uses_sender = True

    done = Port("The session has the new values", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Set the values, or leave by `failed` when the event has no session."""
        if context.session is None:
            return self.failed(reason="no session")
        return self.done(effects=[SetSession(parse_path(path), value) for path, value in self.values.items()])
