"""The decision whether to join profiles, for the node types that identify them."""

from collections.abc import Sequence

from msgspec import Struct

from engine.flow.ask import KeyKind, ProfileReply
from engine.flow.effect import Effect
from engine.flow.join_effects import join_effects
from engine.flow.node import NodeContext
from engine.language.path import parse_path, read
from engine.profile.document import LinkKind, Profile
from engine.profile.fold import fold
from engine.profile.joining import Brought, bring, link_rules
from engine.profile.key import MAX_KEY_LENGTH
from engine.profile.linking import Pool, path_of, proven_sender
from engine.profile.own_value import own_value
from nodes.key import Key


class JoinDecision(Struct, frozen=True):
    """The decision about one key: the effects that record it, the pool after it, and why a link was refused.

    `joined_id` is the id of the profile with which the run's profile is newly merged.
    """

    pool: Pool
    effects: tuple[Effect, ...] = ()
    joined_id: str | None = None
    refused: str = ""
    reason: str = ""


def acting_id(context: NodeContext) -> str:
    """Return the id under which a run acts; it must have a profile."""
    assert context.stored_profile is not None  # noqa: S101  # the callers have checked it
    return context.acting_id or context.stored_profile.id


def pool_of(context: NodeContext) -> Pool:
    """Return the pool with which a node starts; the run must have a profile."""
    assert context.stored_profile is not None  # noqa: S101  # the callers have checked it
    return context.pool or Pool.of(context.stored_profile)


def link_kind(context: NodeContext, key: Key) -> LinkKind:
    """Return whether the sender proves a key or only claims it."""
    return "proof" if context.identify == "trust" or key.is_among(context.proven) else "claim"


def visible_kind(context: NodeContext) -> KeyKind:
    """Return which keys may answer a look-up: what is only claimed must not reach a proven sender without authority."""
    own = context.stored_profile
    if context.identify == "trust" or own is None or not proven_sender(own, context.acting_id or own.id):
        return "any"
    return "proof"


def may_join(context: NodeContext, kind: str) -> bool:
    """Return whether a link of this kind can be taken at all: a proven profile takes no claims."""
    own = context.stored_profile
    return kind != "claim" or own is None or not proven_sender(own, acting_id(context))


def decide_key(context: NodeContext, pool: Pool, key: Key, reply: ProfileReply) -> JoinDecision:
    """Decide about a key that the run's profile brings. `pool` is the one after the keys before."""
    kind = link_kind(context, key)
    brought = Brought(reply.cause, kind, reply.found_under_id, reply.profile)
    joined = bring(pool, acting_id(context), brought, link_rules(context.keys), context.now)
    verdict = joined.verdict
    effects = join_effects(brought, joined)
    is_data = verdict.refused == "proven" or (verdict.refused == "limit" and kind == "claim")
    if (verdict.taken or is_data) and not has_value(context, key):
        effects.append(key.set_value())
    reason = verdict.reason
    if verdict.refused == "other":
        reason = two_people(context, verdict.values, reply.profile, key)
    joined_id = reply.profile.id if joined.joins and reply.profile is not None else None
    return JoinDecision(verdict.pool, tuple(effects), joined_id, verdict.refused, reason)


def has_value(context: NodeContext, key: Key) -> bool:
    """Return whether nothing is to be written for a key: it shows, and would if all who are joined by claims left."""
    own = context.stored_profile
    if not key.matches(read(context.profile, key.names)):
        return False
    return own is None or len(own.parts) < 2 or key.matches(own_value(own, acting_id(context), key.names))


def first_joined_id(decisions: Sequence[JoinDecision]) -> str | None:
    """The id of the first profile that is newly merged, or None."""
    return next((decision.joined_id for decision in decisions if decision.joined_id is not None), None)


def two_people(context: NodeContext, values: Sequence[str], other: Profile | None, key: Key | None = None) -> str:
    """Return the reason why a link is refused that would bring both `values` of an exclusive key into one profile.

    Values are named as `engine.profile.linking.key_link` names them. `other` is the other profile, if there is one, and
    `key` the key that was brought, if any.
    """
    path = path_of(values[0])
    names = parse_path(path)
    here = read(context.profile, names)
    if key is not None and key.names == names:
        there: object = key.text
    else:
        there = read(fold(other, context.rules), names) if other is not None else None
    return f"`{path}` is {show(here)} in this profile and {show(there)} in the other one: they are two people"


def show(value: object) -> str:
    """Return a value for a message, shortened."""
    return f"`{str(value)[:MAX_KEY_LENGTH]}`" if isinstance(value, str | int | float) else "another value"
