from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, ProfileReply, ProfilesByKeys, ProfilesReply, Reply, refusal
from engine.flow.effect import Effect
from engine.flow.node import Keys, Node, NodeContext, Outcome, Port, Sole, Sparse
from engine.language.kinds import A_TEXT, OBJECT, Shape
from engine.language.path import read
from engine.profile.document import Profile, Scalar
from engine.profile.operations import Refused
from nodes.join import SEPARATED, JoinDecision, decide_join, first_joined_id
from nodes.key import Key, read_key


class ProfileMerge(Node, frozen=True, tag="profile.merge"):
    """Identify the profile by one or several keys, and merge it with the profiles that share any of them.

    The first profile with a key keeps the key; a profile that has the key later is merged with the first one. Keys are
    normalized first, as `keys:` in `headrace.yaml` says. Of several keys, those that are absent or identify no profile
    are left out. Placeholders such as `null` or `anonymous` never merge profiles, nor does a value that many share.
    """

    key: Annotated[
        dict[str, Scalar],
        Sole(),
        Sparse(),
        Keys("traits", "pii"),
        Meta(
            description="The paths of the keys and their values",
            examples=[{"pii.email": "{{ event.properties.email }}"}],
            min_length=1,
            max_length=10,
        ),
    ]

    uses_profile = True
    identifies = True
    output = Shape(OBJECT, {"id": A_TEXT})
    examples = (
        """\
recognise:
  profile.merge: {pii.email: "{{ event.properties.email }}"}
""",
        """\
either:
  profile.merge:
    pii.email: "{{ event.properties.email }}"
    pii.phone: "{{ event.properties.phone }}"
""",
    )

    merged = Port("The profile has been merged with another one", main=True)
    unchanged = Port("No other profile has any of the keys", main=True)

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask for the profiles that own the keys; leave by `failed` when no key identifies a profile."""
        if context.stored_profile is None:
            return self.failed(reason="no profile")
        keys, left_out = self._usable(context)
        if not keys:
            return self.failed(reason=left_out)
        return ProfilesByKeys(tuple([(key.path, key.text) for key in keys]))

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Merge the run's profile with the other profiles in the reply."""
        if not isinstance(reply, ProfilesReply) or context.stored_profile is None or context.profile is None:
            return self.failed(reason=refusal(reply))
        keys, left_out = self._usable(context)
        effects: list[Effect] = []
        decisions: list[JoinDecision] = []
        for key, key_reply in zip(keys, reply.found, strict=True):
            decision = _decide(context, context.stored_profile, key, key_reply)
            decisions.append(decision)
            effects += [decision.merge] if decision.merge is not None else []
            effects += _key_effects(key, key_reply, decision, context)
        separated = SEPARATED if any(decision.separated for decision in decisions) else ""
        reason = "; ".join(filter(None, (separated, left_out)))
        joined_id = first_joined_id(decisions)
        if joined_id is None:
            return self.unchanged({"id": context.stored_profile.id}, effects, reason)
        return self.merged({"id": joined_id}, effects, reason)

    def _usable(self, context: NodeContext) -> tuple[list[Key], str]:
        """The keys that may identify a profile, and the reasons for which the others are left out."""
        keys: list[Key] = []
        reasons: list[str] = []
        for path, value in self.key.items():
            try:
                keys.append(read_key(path, value, context.keys))
            except Refused as refused:
                reasons.append(str(refused))
        return keys, "; ".join(reasons)


def _decide(context: NodeContext, own: Profile, key: Key, reply: ProfileReply) -> JoinDecision:
    """Decide whether to merge the run's profile `own` with the owner of the key."""
    if reply.profile is None:
        return JoinDecision()
    proven = key.is_among(context.proven)
    return decide_join(context, own, reply, reply.profile, reply.cause, proven=proven)


def _key_effects(key: Key, reply: ProfileReply, decision: JoinDecision, context: NodeContext) -> Iterable[Effect]:
    """The effects that store the key: it leads to the run's profile, and the profile has its value."""
    if reply.profile is None or reply.claimed:
        yield key.claim(again=reply.profile is not None, proven=key.is_among(context.proven))
    if not decision.separated and not key.matches(read(context.profile, key.names)):
        yield key.set_value()
