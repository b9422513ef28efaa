from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, KeyKind, ProfilesByKeys, ProfilesReply, Reply, refusal
from engine.flow.effect import Effect
from engine.flow.node import Keys, Node, NodeContext, Outcome, Port, Sole, Sparse
from engine.language.kinds import A_TEXT, OBJECT, Shape
from engine.profile.document import Scalar
from engine.profile.linking import NO_CLAIMS
from engine.profile.operations import Refused
from nodes.join import JoinDecision, decide_key, first_joined_id, has_value, link_kind, may_join, pool_of
from nodes.key import Key, read_key


class ProfileMerge(Node, frozen=True, tag="profile.merge"):
    """Identify the profile by one or several keys, and merge it with the profiles that share any of them.

    Keys are normalized first, as `keys:` in `headrace.yaml` says. A key that the sender proves joins the profiles that
    have proven it; a key that the sender only claims joins those that claim it, as long as nothing is proven of either.
    Of several keys, those that are absent or identify no profile are left out. Placeholders such as `null` or
    `anonymous` never merge profiles, nor does a value that many share. Two values of an exclusive key never come into
    one profile: the node leaves by `other`.
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
    unchanged = Port("No other profile has any of the keys, or nothing joins this one by them", main=True)
    other = Port("An exclusive key has another value in the other profile: they are two people")

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask for the profiles that hold the keys; leave by `failed` when no key identifies a profile."""
        if context.stored_profile is None:
            return self.failed(reason="no profile")
        keys, left_out = self._usable(context)
        if not keys:
            return self.failed(reason=left_out)
        asked = _joining(context, keys)
        if not asked:
            return self.unchanged({"id": context.stored_profile.id}, _values(context, keys), NO_CLAIMS)
        return ProfilesByKeys(tuple([(key.path, key.text, _kind(context, key)) for key in asked]))

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Join the run's profile with the other profiles in the reply."""
        if not isinstance(reply, ProfilesReply) or context.stored_profile is None or context.profile is None:
            return self.failed(reason=refusal(reply))
        keys, left_out = self._usable(context)
        asked = _joining(context, keys)
        effects = _values(context, [key for key in keys if key not in asked])
        decisions: list[JoinDecision] = []
        pool = pool_of(context)
        for key, key_reply in zip(asked, reply.found, strict=True):
            decision = decide_key(context, pool, key, key_reply)
            pool = decision.pool
            decisions.append(decision)
            effects += decision.effects
        reason = "; ".join(filter(None, (*dict.fromkeys(each.reason for each in decisions), left_out)))
        if (joined_id := first_joined_id(decisions)) is not None:
            return self.merged({"id": joined_id}, effects, reason)
        if any(decision.refused == "other" for decision in decisions):
            return self.other({"id": context.stored_profile.id}, effects, reason)
        if any(_fails(context, key, each) for key, each in zip(asked, decisions, strict=True)):
            return self.failed(reason=reason)
        return self.unchanged({"id": context.stored_profile.id}, effects, reason)

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


def _joining(context: NodeContext, keys: Sequence[Key]) -> list[Key]:
    """The keys that may join the profile: its claims are data if it is proven, or brings a proof with them."""
    proofs = [key for key in keys if link_kind(context, key) == "proof"]
    return proofs or [key for key in keys if may_join(context, link_kind(context, key))]


def _kind(context: NodeContext, key: Key) -> KeyKind:
    return "proof" if link_kind(context, key) == "proof" else "claim"


def _values(context: NodeContext, keys: Sequence[Key]) -> list[Effect]:
    """The effects that write the values of keys that join no profile."""
    return [key.set_value() for key in keys if not has_value(context, key)]


def _fails(context: NodeContext, key: Key, decision: JoinDecision) -> bool:
    """Whether a proof could not be taken because of a limit; a claim beyond a limit only joins no profile."""
    return decision.refused == "limit" and link_kind(context, key) == "proof"
