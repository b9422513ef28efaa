from typing import Annotated

from msgspec import Meta

from engine.flow.effect import AttachSession
from engine.flow.node import Node, Outcome, Port, Seen, Sole, Text
from nodes.key import placeholder


class SessionAttach(Node, frozen=True, tag="session.attach"):
    """Give an event that came without a session the session of that id.

    The session is one of the event's source, and is created when there is none. An event that has a session keeps it.
    """

    id: Annotated[
        Text, Sole(), Meta(description="The id of the session", examples=["{{ event.properties.session_id }}"])
    ]

    examples = (
        """\
visit:
  session.attach: "{{ event.properties.session_id }}"
""",
    )

    attached = Port("The event has that session", main=True)

    def run(self, seen: Seen) -> Outcome:
        """Attach the session, unless the event has another one."""
        wanted = self.id.strip()
        if reason := placeholder(wanted, "id"):
            return self.failed(reason=reason)
        if seen.session is None:
            return self.attached({"id": wanted}, [AttachSession(wanted)])
        if seen.session.get("id") == wanted:
            return self.attached({"id": wanted})
        return self.failed(reason="the event has another session")
