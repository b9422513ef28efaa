from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, Reply, SessionById, SessionReply, refusal
from engine.flow.effect import AttachSession
from engine.flow.node import Node, NodeContext, Outcome, Port, Sole, Text
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

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask for the session, unless the event has one."""
        wanted = self.id.strip()
        if reason := placeholder(wanted, "id"):
            return self.failed(reason=reason)
        if context.session is None:
            return SessionById(wanted)
        if context.session["id"] == wanted:
            return self.attached({"id": wanted})
        return self.failed(reason="the event has another session")

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Attach what was found, or a new one of that id."""
        if not isinstance(reply, SessionReply) or reply.session is None:
            return self.failed(reason=refusal(reply))
        attached = AttachSession(reply.session, reply.version, reply.profile)
        return self.attached({"id": reply.session["id"]}, [attached])
