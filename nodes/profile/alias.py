from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, ProfileById, ProfileReply, Reply, refusal
from engine.flow.node import Node, NodeContext, Outcome, Port, Sole, Text
from engine.language.kinds import A_TEXT, OBJECT, Shape
from engine.profile.operations import Refused
from nodes.join import SEPARATED, decide_join
from nodes.key import read_id

CAUSE = "alias"


class ProfileAlias(Node, frozen=True, tag="profile.alias"):
    """Merge the profile with the profile of a known id, for example an id that another system has stored.

    The id is the id of a profile, which an answer of Headrace has returned. Ids of your own (a customer number) are
    keys: see `profile.merge`. From a public source an alias is only a claim, as keys are.
    """

    id: Annotated[
        Text, Sole(), Meta(description="The id of the other profile", examples=["{{ event.properties.previous_id }}"])
    ]

    uses_profile = True
    identifies = True
    output = Shape(OBJECT, {"id": A_TEXT})
    examples = (
        """\
same:
  profile.alias: "{{ event.properties.previous_id }}"
""",
    )

    merged = Port("The profile has been merged with the other one", main=True)
    unchanged = Port("They are one profile already", main=True)
    missing = Port("There is no such profile")

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask for the other profile."""
        if context.stored_profile is None:
            return self.failed(reason="no profile")
        try:
            return ProfileById(read_id(self.id, context.keys))
        except Refused as refused:
            return self.failed(reason=str(refused))

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Merge the two profiles, unless they are one."""
        if not isinstance(reply, ProfileReply) or context.stored_profile is None:
            return self.failed(reason=refusal(reply))
        if reply.profile is None:
            return self.missing(reason="there is no such profile")
        decision = decide_join(context, context.stored_profile, reply, reply.profile, CAUSE)
        effects = [decision.merge] if decision.merge is not None else []
        if decision.new:
            return self.merged({"id": reply.profile.id}, effects)
        return self.unchanged({"id": context.stored_profile.id}, effects, SEPARATED if decision.separated else "")
