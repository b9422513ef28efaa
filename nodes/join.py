"""The decision whether to merge two profiles, for the node types that merge profiles."""

from collections.abc import Sequence

from msgspec import Struct

from engine.flow.ask import ProfileReply
from engine.flow.effect import Merge
from engine.flow.node import NodeContext
from engine.profile.document import Profile
from engine.profile.merge import link_id


class JoinDecision(Struct, frozen=True):
    """The decision about one profile: the effect that records it, or None when there is nothing to record."""

    merge: Merge | None = None
    new: bool = False  # the merge makes one of two profiles; otherwise it only records one more link of a merged one
    separated: bool = False  # an unmerge has separated the two for this cause, so they are not merged


def decide_join(
    context: NodeContext, own: Profile, reply: ProfileReply, other: Profile, cause: str, *, proven: bool = False
) -> JoinDecision:
    """Decide whether to merge the run's profile `own` with `other`, the profile of `reply`, for `cause`.

    `proven` says that a token of the sender verifies the cause. A link is recorded even if other links have already
    merged the two profiles: undoing one of them must not separate what another one holds together.
    """
    left = context.acting_id or own.id
    right = reply.found_under_id if reply.found_under_id in other.parts else other.id
    new = not other.parts.keys() <= own.parts.keys()
    if left == right:
        return JoinDecision()
    id = link_id(left, right, cause)
    known_links = [profile.links[id] for profile in (own, other) if id in profile.links]
    if any(link.undone for link in known_links):
        return JoinDecision(separated=new)
    claimed = reply.claimed or not (proven or context.identify == "trust")
    if not new and known_links and (claimed or not all(link.claim for link in known_links)):
        return JoinDecision()  # the profile has this link already, and not with less proof
    return JoinDecision(Merge(other, left, right, cause, claimed=reply.claimed, proven=proven), new)


def first_joined_id(decisions: Sequence[JoinDecision]) -> str | None:
    """The id of the first profile that is newly merged, or None."""
    return next((decision.merge.other.id for decision in decisions if decision.new and decision.merge), None)


SEPARATED = "an unmerge has separated these two profiles, which were merged for the same cause: they stay separate"
