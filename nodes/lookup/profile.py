from engine.flow.ask import ProfileReply, Reply, refusal
from engine.flow.node import NodeContext, Outcome, Port
from engine.language.fields import PROFILE
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from nodes.profile_choice import ProfileChoice


class LookupProfile(ProfileChoice, frozen=True, tag="lookup.profile"):
    """Read a stored profile by its id or by a key.

    The profile of the run stays the same.
    """

    output = PROFILE
    examples = (
        """\
friend:
  lookup.profile: {key: {pii.email: "{{ event.properties.friend }}"}}
""",
    )

    found = Port("The profile is the node's output, in the form in which flows see profiles", main=True)

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Leave with the view of the profile."""
        if not isinstance(reply, ProfileReply):
            return self.failed(reason=refusal(reply))
        if reply.profile is None or reply.profile.version == 0:
            return self.missing(reason="there is no such profile")
        return self.found(profile_view(reply.profile, fold(reply.profile, context.rules)))
