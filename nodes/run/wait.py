from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, Reply, WaitAsk, WaitReply, refusal
from engine.flow.node import LONGEST_WAIT_MS, Duration, Node, NodeContext, Outcome, Port, Sole


class Wait(Node, frozen=True, tag="wait"):
    """Put the run away, and go on after a time.

    The run goes on with the profile as it is then, also after a restart of the server. No sender waits for it.
    So `wait: 0s` does the rest of a flow at once, but without the sender. The flow says in
    `while_waiting` what a new event does to a run that waits.
    """

    duration: Annotated[
        Duration,
        Sole(),
        Meta(description="How long the run waits, at most 400 days", examples=["2h"], ge=0, le=LONGEST_WAIT_MS),
    ]

    uses_profile = True
    waits = True
    examples = (
        """\
nap:
  wait: 2h
""",
        """\
without_the_sender:
  wait: 0s
""",
    )

    done = Port("The time has passed", main=True)

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask to be resumed after the time."""
        return WaitAsk(context.now + self.duration)

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Go on."""
        return self.done() if isinstance(reply, WaitReply) else self.failed(reason=refusal(reply))
