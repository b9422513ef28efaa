from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from engine.flow.ask import Ask, ProfileReply, ProfilesByKeys, ProfilesReply, Reply, refusal
from engine.flow.effect import Effect
from engine.flow.node import Keys, Node, NodeContext, Outcome, Port, Sole, Sparse
from engine.language.path import read
from engine.profile.document import Profile, Scalar
from engine.profile.operations import Refused
from nodes.join import APART, JoinDecision, decide_join, first_new
from nodes.key import Key, read_key


class ProfileMerge(Node, frozen=True, tag="profile.merge"):
    """Recognise who this is by one or several keys, and join the profiles that share any of them.

    The first profile with a key keeps it; whoever brings it later is joined with that profile. Keys are brought into
    one form first: `keys:` in `headrace.yaml` says which. Of several keys those that are absent or stand for nobody
    are left out; placeholders such as `null` or `anonymous` never join anybody, nor does a value that many have.
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

    merged = Port("The profile has been joined with another one", main=True)
    unchanged = Port("Nobody else has any of the keys", main=True)

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask whose keys they are."""
        if context.stored_profile is None:
            return self.failed(reason="no profile")
        keys, left_out = self._usable(context)
        if not keys:
            return self.failed(reason=left_out)
        return ProfilesByKeys(tuple([(key.path, key.text) for key in keys]))

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Join the profile with those that were found, if they are others."""
        if not isinstance(reply, ProfilesReply) or context.stored_profile is None or context.profile is None:
            return self.failed(reason=refusal(reply))
        keys, left_out = self._usable(context)
        effects: list[Effect] = []
        joined: list[JoinDecision] = []
        for key, found in zip(keys, reply.found, strict=True):
            this = _joining(context, context.stored_profile, key, found)
            joined.append(this)
            effects += [this.merge] if this.merge is not None else []
            effects += _kept(key, found, this, context)
        apart = APART if any(each.apart for each in joined) else ""
        reason = "; ".join(filter(None, (apart, left_out)))
        other = first_new(joined)
        if other is None:
            return self.unchanged({"id": context.stored_profile.id}, effects, reason)
        return self.merged({"id": other}, effects, reason)

    def _usable(self, context: NodeContext) -> tuple[list[Key], str]:
        """The keys that may stand for somebody; and why the others are left out."""
        keys: list[Key] = []
        reasons: list[str] = []
        for path, value in self.key.items():
            try:
                keys.append(read_key(path, value, context.keys))
            except Refused as refused:
                reasons.append(str(refused))
        return keys, "; ".join(reasons)


def _joining(context: NodeContext, own: Profile, key: Key, found: ProfileReply) -> JoinDecision:
    """How the run's profile `own` is to be joined with the one that has a key."""
    if found.profile is None:
        return JoinDecision()
    return decide_join(context, own, found, found.profile, found.cause, proven=key.proven_by(context.proven))


def _kept(key: Key, found: ProfileReply, this: JoinDecision, context: NodeContext) -> Iterable[Effect]:
    """What is kept of a key: that it leads to this profile, and that the profile shows its value."""
    if found.profile is None or found.claimed:
        yield key.claimed(again=found.profile is not None, proven=key.proven_by(context.proven))
    if not this.apart and not key.is_value(read(context.profile, key.names)):
        yield key.written()
