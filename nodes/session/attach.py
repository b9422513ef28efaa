from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, Reply, SessionById, SessionReply, refusal
from engine.flow.effect import AttachSession
from engine.flow.node import Node, NodeContext, Outcome, Port, Sole, Text
from engine.language.kinds import A_TEXT, OBJECT, Shape
from engine.profile.operations import Refused
from nodes.key import read_id


class SessionAttach(Node, frozen=True, tag="session.attach"):
    """Attach the session with an id to an event that has no session.

    The session belongs to the event's source, and is created when it does not exist. An event that has a session keeps
    it.
    """

    id: Annotated[
        Text, Sole(), Meta(description="The id of the session", examples=["{{ event.properties.session_id }}"])
    ]

    output = Shape(OBJECT, {"id": A_TEXT})
    examples = (
        """\
visit:
  session.attach: "{{ event.properties.session_id }}"
""",
    )
    uses_sender = True

    attached = Port("The event has the session", main=True)

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask for the session, unless the event has one."""
        try:
            id = read_id(self.id, context.keys)
        except Refused as refused:
            return self.failed(reason=str(refused))
        if context.session is None:
            return SessionById(id)
        if context.session["id"] == id:
            return self.attached({"id": id})
        return self.failed(reason="the event has another session")

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Attach the session of the reply, which is a new one when none is stored."""
        if not isinstance(reply, SessionReply) or reply.session is None:
            return self.failed(reason=refusal(reply))
        effect = AttachSession(reply.session, reply.version, reply.profile)
        return self.attached({"id": reply.session["id"]}, [effect])
