"""The parents of the node types that deliver messages."""

from typing import Annotated, Literal

from msgspec import Meta

from engine.flow.effect import Deliver
from engine.flow.message import Message
from engine.flow.node import (
    LONGEST_WAIT_MS,
    Checked,
    Duration,
    Fixed,
    NeedsProfile,
    Node,
    NodeContext,
    Outcome,
    PercentEncoded,
    Port,
    Reference,
    Text,
)
from nodes.request import literal_path_defect

HttpTarget = Annotated[
    str,
    Fixed(),
    Reference("target"),
    Meta(description="The name of the target in headrace.yaml, which defines the host", examples=["crm"]),
]
Path = Annotated[
    Text,
    PercentEncoded(),
    Checked(literal_path_defect),
    Meta(description="The path below the target's address", examples=["/customers/{{ profile.id }}"]),
]


class Delivery(Node, frozen=True, kw_only=True):
    """A node that puts one message into the outbox."""

    target: HttpTarget
    order: Annotated[
        Literal["none", "profile"],
        Fixed(),
        NeedsProfile("profile"),
        Meta(
            description="profile: sent once the earlier ordered messages of the profile to this target have ended",
            examples=["profile"],
        ),
    ] = "none"
    after: Annotated[
        Duration,
        Meta(
            description="How long it waits before it is sent: ms, s, m, h or d",
            examples=["10m"],
            ge=0,
            le=LONGEST_WAIT_MS,
        ),
    ] = 0

    done = Port("The message will be sent once the event is committed", main=True)

    def run(self, context: NodeContext) -> Outcome:
        """Leave with the message, or by `failed` when it cannot be sent."""
        if self.order == "profile" and context.profile is None:
            return self.failed(reason="`order: profile` needs a profile, and the event has none")
        message = self.message(context)
        if isinstance(message, str):
            return self.failed(reason=message)
        return self.done(effects=[Deliver(self.target, message, self.order == "profile", self.after)])

    def message(self, context: NodeContext) -> Message | str:
        """Return the message, or the reason why it cannot be sent."""
        raise TypeError(f"{type(self).__name__} has no `message`")
