from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, ProfileById, ProfileReply, Reply, refusal
from engine.flow.node import Node, NodeContext, Outcome, Port, Sole, Text
from engine.profile.operations import Refused
from nodes.join import APART, decide_join
from nodes.key import read_id

CAUSE = "alias"


class ProfileAlias(Node, frozen=True, tag="profile.alias"):
    """Join the profile with the one that has a known id, such as one that another system has kept.

    The id is a profile's: one that an answer of Headrace has given. Ids of your own (a customer number) are keys, see
    `profile.merge`. From a public source an alias is a claim, as keys are.
    """

    id: Annotated[
        Text, Sole(), Meta(description="The id of the other profile", examples=["{{ event.properties.previous_id }}"])
    ]

    uses_profile = True
    identifies = True
    examples = (
        """\
same:
  profile.alias: "{{ event.properties.previous_id }}"
""",
    )

    merged = Port("The profile has been joined with the other one", main=True)
    unchanged = Port("They are one profile already", main=True)
    missing = Port("There is no such profile")

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask for the other profile."""
        if context.stored_profile is None:
            return self.failed(reason="no profile")
        try:
            return ProfileById(read_id(self.id))
        except Refused as refused:
            return self.failed(reason=str(refused))

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Join the two, unless they are one."""
        if not isinstance(reply, ProfileReply) or context.stored_profile is None:
            return self.failed(reason=refusal(reply))
        if reply.profile is None:
            return self.missing(reason="there is no such profile")
        this = decide_join(context, context.stored_profile, reply, reply.profile, CAUSE)
        effects = [this.merge] if this.merge is not None else []
        if this.new:
            return self.merged({"id": reply.profile.id}, effects)
        return self.unchanged({"id": context.stored_profile.id}, effects, APART if this.apart else "")
