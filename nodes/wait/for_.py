from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, Reply, WaitAsk, WaitReply, refusal
from engine.flow.node import AwaitedCondition, Fixed, Node, NodeContext, Outcome, Port
from engine.language.fields import EVENT

Pattern = Annotated[str, Meta(min_length=1, max_length=200)]


class WaitFor(Node, frozen=True, tag="wait.for"):
    """Put the run away until the profile has an event of some type, or until a time has passed.

    The node needs a `timeout` of at most 400 days, beside its type. Any event of the profile counts that comes after
    the one which the run is about: of clients, of flows, and of the system. In `when`, `awaited` is that event, and
    `event` the one of the run. The event is the node's output. The flow says in `while_waiting` what a new event does
    to a run that waits.
    """

    event: Annotated[
        Pattern | Annotated[list[Pattern], Meta(min_length=1, max_length=20)],
        Fixed(),
        Meta(
            description="The type of the event, or a list of types; `*` stands for any text. An event of the system "
            "is heard under its full name only",
            examples=["order-completed", ["order-completed", "order-cancelled"]],
        ),
    ]
    when: Annotated[
        AwaitedCondition,
        Meta(
            description="The condition for the event, which may read `awaited`, `event`, `profile` and `nodes`",
            examples=["awaited.properties.cart == event.properties.cart"],
        ),
    ] = True

    uses_profile = True
    waits = True
    output = EVENT
    examples = (
        """\
bought:
  wait.for:
    event: order-completed
    when: awaited.properties.cart == event.properties.cart
  timeout: 2h
""",
        """\
answered:
  wait.for: {event: [survey-*, newsletter-left]}
  timeout: 7d
""",
    )

    arrived = Port("The event has come; it is the output", main=True)
    timeout = Port("The time has passed without the event")

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask to be resumed when the event comes."""
        return WaitAsk(on=(self.event,) if isinstance(self.event, str) else tuple(self.event))

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Leave by `arrived` with the event, or by `timeout`."""
        if not isinstance(reply, WaitReply):
            return self.failed(reason=refusal(reply))
        return self.timeout() if reply.awaited is None else self.arrived(reply.awaited)
