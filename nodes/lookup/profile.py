from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, ProfileReply, Reply, refusal
from engine.flow.node import Keys, Node, NodeContext, Outcome, Port, Text
from engine.profile.fold import fold
from engine.profile.operations import Refused
from engine.profile.profile_view import profile_view
from nodes.key import OneKey, wanted


class LookupProfile(Node, frozen=True, tag="lookup.profile"):
    """Read a stored profile by its id or by a key.

    It does not change who the run is about.
    """

    id: Annotated[
        Text | None, Meta(description="The id of the profile", examples=["{{ event.properties.referred_by }}"])
    ] = None
    key: Annotated[
        OneKey | None,
        Keys("traits", "pii"),
        Meta(
            description="In place of `id`: the path of a key and its value",
            examples=[{"pii.email": "{{ event.properties.friend }}"}],
        ),
    ] = None

    uses_profile = True  # it opens the store of profiles, which a flow with `profile: none` promises not to do
    examples = (
        """\
friend:
  lookup.profile: {key: {pii.email: "{{ event.properties.friend }}"}}
""",
    )

    found = Port("The profile is the node's output, as a flow sees profiles", main=True)
    missing = Port("There is no such profile")

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask for the profile."""
        try:
            return wanted(self.id, self.key, context.keys)
        except Refused as refused:
            return self.failed(reason=str(refused))

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Give the profile."""
        if not isinstance(reply, ProfileReply):
            return self.failed(reason=refusal(reply))
        if reply.profile is None or reply.profile.version == 0:
            return self.missing(reason="there is no such profile")
        return self.found(profile_view(reply.profile, fold(reply.profile, context.rules)))
