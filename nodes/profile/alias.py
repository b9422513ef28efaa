from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, ProfileById, ProfileReply, Reply, refusal
from engine.flow.effect import Merge
from engine.flow.node import Node, NodeContext, Outcome, Port, Sole, Text
from engine.language.kinds import A_TEXT, OBJECT, Shape
from engine.profile.document import LinkKind
from engine.profile.joining import join_ids, link_rules
from engine.profile.linking import NO_CLAIMS, new_link
from engine.profile.operations import Refused
from nodes.join import acting_id, may_join, pool_of, two_people
from nodes.key import read_id


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
    other = Port("An exclusive key has another value in the other profile: they are two people")

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask for the other profile."""
        if context.stored_profile is None:
            return self.failed(reason="no profile")
        try:
            id = read_id(self.id, context.keys)
        except Refused as refused:
            return self.failed(reason=str(refused))
        if not may_join(context, _kind(context)):
            return self.unchanged({"id": context.stored_profile.id}, reason=NO_CLAIMS)
        return ProfileById(id)

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Merge the two profiles, unless they are one."""
        if not isinstance(reply, ProfileReply) or context.stored_profile is None:
            return self.failed(reason=refusal(reply))
        if reply.profile is None:
            return self.missing(reason="there is no such profile")
        other = reply.profile
        id = reply.found_under_id if reply.found_under_id in other.parts else other.id
        if id == acting_id(context):
            return self.unchanged({"id": context.stored_profile.id})
        link = new_link(acting_id(context), _kind(context), id)
        joined = join_ids(pool_of(context), link, other, link_rules(context.keys), context.now)
        verdict = joined.verdict
        effects = [Merge(joined.links, reply.profile)] if joined.links else []
        if verdict.refused == "other":
            return self.other({"id": context.stored_profile.id}, reason=two_people(context, verdict.values, other))
        if verdict.refused == "limit" and context.identify == "trust":
            return self.failed(reason=verdict.reason)
        if joined.joins:
            return self.merged({"id": reply.profile.id}, effects)
        return self.unchanged({"id": context.stored_profile.id}, effects, verdict.reason)


def _kind(context: NodeContext) -> LinkKind:
    return "proof" if context.identify == "trust" else "claim"
