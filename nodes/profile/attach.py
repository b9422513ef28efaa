from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, KeyKind, ProfileByKey, ProfileReply, Reply, refusal
from engine.flow.effect import Attach, Effect, HoldKey
from engine.flow.node import Fixed, InPlaceOf, NodeContext, Outcome, Port
from engine.language.kinds import A_BOOLEAN, A_TEXT, OBJECT, Shape
from engine.profile.document import LinkKind, Profile, new_profile
from engine.profile.joining import Brought, bring, link_rules
from engine.profile.linking import Pool, component, key_link
from nodes.join import visible_kind
from nodes.key import Key, read_single_key
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
            return self._create(context, reply) if self.create else self.missing(reason="there is no such profile")
        if context.profile is None:
            attached = Attach(profile, reply.found_under_id) if self.key is None else _attached(context, profile, reply)
            if attached is None:
                return self.missing(reason="an operator has undone the link by which this key leads to the profile")
            return self.attached({"id": profile.id, "created": False}, [attached])
        if set(profile.ids).isdisjoint(context.profile["ids"]):
            return self.failed(reason="the event has another profile")
        return self.attached({"id": context.profile["id"], "created": False})

    def _ask_by_key(self, key: Key, context: NodeContext) -> Ask:
        if context.identify == "trust":
            return ProfileByKey(key.path, key.text, "any", attach=True)
        kind: KeyKind = "proof" if visible_kind(context) == "proof" else "claim"
        return ProfileByKey(key.path, key.text, kind, attach=True, source=context.source["id"])

    def _create(self, context: NodeContext, reply: ProfileReply | None = None) -> Outcome:
        if context.profile is not None:
            return self.failed(reason="the event has a profile already")
        profile = new_profile(context.new_id, context.now)
        effects: list[Effect] = []
        if self.key is None or reply is None:
            effects.append(Attach(profile))
        else:
            kind: LinkKind = "proof" if context.identify == "trust" else "claim"
            brought = Brought(reply.cause, kind, reply.found_under_id)
            joined = bring(Pool.of(profile), profile.id, brought, link_rules(context.keys), context.now)
            effects.append(Attach(profile, links=joined.links))
            effects.append(HoldKey(key_link(reply.cause, kind), joined.over))
            effects.append(read_single_key(self.key, context.keys).set_value())
        return self.attached({"id": profile.id, "created": True}, effects)


def _attached(context: NodeContext, profile: Profile, reply: ProfileReply) -> Attach | None:
    """Return the effect that attaches the event to the profile, under the id of the key's own.

    Returns None if an undone link keeps that id away from the profile.
    """
    kind: LinkKind = "claim" if reply.claimed else "proof"
    id = reply.key_id
    own = profile if id in profile.parts else reply.key_profile or new_profile(id, context.now)
    brought = Brought(reply.cause, kind, reply.found_under_id, profile)
    joined = bring(Pool.of(profile, own), id, brought, link_rules(context.keys), context.now)
    if not joined.verdict.taken or reply.found_under_id not in component(joined.pool, id):
        return None
    return Attach(profile, reply.found_under_id, id, joined.links, None if own is profile else own)
