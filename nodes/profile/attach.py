from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, ProfileReply, Reply, refusal
from engine.flow.effect import Attach, Effect
from engine.flow.node import Fixed, InPlaceOf, NodeContext, Outcome, Port
from engine.language.kinds import A_BOOLEAN, A_TEXT, OBJECT, Shape
from engine.profile.document import new_profile
from nodes.key import read_single_key
from nodes.profile_choice import OneKey, ProfileChoice


class ProfileAttach(ProfileChoice, frozen=True, tag="profile.attach"):
    """Attach a profile, chosen by its id or by a key, or a new one, to an event that has no profile.

    An event that has a profile keeps it. Placeholders such as `null` or `anonymous` never identify a profile.
    """

    key: Annotated[OneKey, InPlaceOf("id", unless="create")] = None
    create: Annotated[
        bool,
        Fixed(),
        Meta(
            description="Whether to create a profile when there is none; the new profile gets the key. Without `id` "
            "and `key` a profile is always created",
            examples=[True],
        ),
    ] = False

    makes_ids = True
    output = Shape(OBJECT, {"id": A_TEXT, "created": A_BOOLEAN})
    examples = (
        """\
buyer:
  profile.attach: {key: {pii.email: "{{ event.properties.email }}"}, create: true}
""",
        """\
member:
  profile.attach: {id: "{{ event.properties.member_id }}"}
""",
    )

    attached = Port("The event has the profile", main=True)

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask for the profile; with `create` alone, create one at once."""
        if self.create and self.id is None and self.key is None:
            return self._create(context)
        return super().ask(context)

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Attach the profile, or create one; leave by `failed` when the event has another profile."""
        if not isinstance(reply, ProfileReply):
            return self.failed(reason=refusal(reply))
        profile = reply.profile
        if profile is None:
            return self._create(context) if self.create else self.missing(reason="there is no such profile")
        if context.profile is None:
            return self.attached({"id": profile.id, "created": False}, [Attach(profile, reply.found_under_id)])
        if set(profile.ids).isdisjoint(context.profile["ids"]):
            return self.failed(reason="the event has another profile")
        return self.attached({"id": context.profile["id"], "created": False})

    def _create(self, context: NodeContext) -> Outcome:
        if context.profile is not None:
            return self.failed(reason="the event has a profile already")
        profile = new_profile(context.new_id, context.now)
        effects: list[Effect] = [Attach(profile)]
        if self.key is not None:
            key = read_single_key(self.key, context.keys)
            effects += [key.claim(), key.set_value()]
        return self.attached({"id": profile.id, "created": True}, effects)
