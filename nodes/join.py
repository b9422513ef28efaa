"""What the nodes that join profiles have in common: whether a profile that was found is to be joined, or is already."""

from collections.abc import Sequence

from msgspec import Struct

from engine.flow.ask import ProfileReply
from engine.flow.effect import Merge
from engine.flow.node import NodeContext
from engine.profile.document import Profile
from engine.profile.merge import link_id


class JoinDecision(Struct, frozen=True):
    """What comes of one profile that was found: the effect, if any; and `apart`, when the two were set apart before."""

    merge: Merge | None = None
    new: bool = False  # it was another profile until now
    apart: bool = False


def decide_join(
    context: NodeContext, own: Profile, found: ProfileReply, other: Profile, cause: str, *, proven: bool = False
) -> JoinDecision:
    """How the run's profile `own` is to be joined with `other`, which was found for `cause`.

    `proven` says that the sender has brought a token for it.

    A step is recorded also where other steps have joined the two before: then undoing one of them is not enough.
    """
    left = context.acting_id or own.id
    right = found.found_under_id if found.found_under_id in other.parts else other.id
    new = not other.parts.keys() <= own.parts.keys()
    if left == right:
        return JoinDecision()
    step = link_id(left, right, cause)
    known = [profile.links[step] for profile in (own, other) if step in profile.links]
    if any(each.undone for each in known):
        return JoinDecision(apart=new)
    claimed = found.claimed or not (proven or context.identify == "trust")
    if not new and known and (claimed or not all(each.claim for each in known)):
        return JoinDecision()  # nothing that is not known already
    return JoinDecision(Merge(other, left, right, cause, claimed=found.claimed, proven=proven), new)


def first_new(joined: Sequence[JoinDecision]) -> str | None:
    """The id of the first profile that was another one until now."""
    return next((each.merge.other.id for each in joined if each.new and each.merge is not None), None)


APART = "these two were joined for the same cause before, and set apart: they stay apart"
