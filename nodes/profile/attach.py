from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, ProfileReply, Reply, refusal
from engine.flow.effect import Attach, Effect
from engine.flow.node import Fixed, InPlaceOf, Keys, Node, NodeContext, Outcome, Port, Text
from engine.profile.document import new_profile
from engine.profile.operations import Refused
from nodes.key import OneKey, read_one, wanted


class ProfileAttach(Node, frozen=True, tag="profile.attach"):
    """Give an event that came without a profile the profile with an id or a key, or a new one.

    An event that has a profile keeps it. Placeholders such as `null` or `anonymous` never lead to anybody.
    """

    id: Annotated[
        Text | None, Meta(description="The id of the profile", examples=["{{ event.properties.profile_id }}"])
    ] = None
    key: Annotated[
        OneKey | None,
        Keys("traits", "pii"),
        InPlaceOf("id", unless="create"),
        Meta(
            description="In place of `id`: the path of a key and its value",
            examples=[{"pii.email": "{{ event.properties.email }}"}],
        ),
    ] = None
    create: Annotated[
        bool,
        Fixed(),
        Meta(
            description="Whether a new profile is made when there is none; it gets the key. Without `id` and `key` "
            "one is made in any case",
            examples=[True],
        ),
    ] = False

    uses_profile = True
    makes_ids = True
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
    missing = Port("There is no such profile")

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask for the profile; with `create` alone there is nothing to ask."""
        if self.create and self.id is None and self.key is None:
            return self._create(context)
        try:
            return wanted(self.id, self.key, context.keys)
        except Refused as refused:
            return self.failed(reason=str(refused))

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Attach what was found, unless the event has another profile."""
        if not isinstance(reply, ProfileReply):
            return self.failed(reason=refusal(reply))
        found = reply.profile
        if found is None:
            return self._create(context) if self.create else self.missing(reason="there is no such profile")
        if context.profile is None:
            return self.attached({"id": found.id, "created": False}, [Attach(found, reply.found_under_id)])
        if set(found.ids).isdisjoint(context.profile["ids"]):
            return self.failed(reason="the event has another profile")
        return self.attached({"id": context.profile["id"], "created": False})

    def _create(self, context: NodeContext) -> Outcome:
        if context.profile is not None:
            return self.failed(reason="the event has a profile already")
        made = new_profile(context.new_id, context.now)
        effects: list[Effect] = [Attach(made)]
        if self.key is not None:
            key = read_one(self.key, context.keys)
            effects += [key.claimed(), key.written()]
        return self.attached({"id": made.id, "created": True}, effects)
