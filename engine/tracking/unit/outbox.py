"""The deliveries of a unit, as the records that are committed with it, and the order in which they are sent."""

from collections.abc import Mapping
from typing import TypeVar

from msgspec import structs

from engine.ports.ids import short_hash
from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import StoredDelivery, queue_of
from engine.ports.records import RecordWrite
from engine.profile.document import Profile, Tail
from engine.project.source import Target
from engine.tracking.unit.effects import RequestedDelivery, UnitEffects, run_id

P = TypeVar("P", Profile, None)

TAIL_MS = 9 * 86_400_000  # how long a profile knows its last ordered deliveries; longer than they may be waiting
SAME_MOMENT_MS = 10_000


def delivery_id(seed: str, event: str, flow: str, node: str, number: int) -> str:
    """Return the id of a delivery: the same in every rerun of its unit, and in no other unit."""
    return short_hash("delivery", seed, event, flow, node, str(number))


def delivery_writes(
    effects: UnitEffects, profile: P, targets: Mapping[str, Target]
) -> tuple[tuple[RecordWrite, ...], P]:
    """Return the records of a unit's deliveries, and its profile with the last ordered ones of each target."""
    made: list[StoredDelivery] = []
    tails = _recent(profile, effects.context.now)
    for each in effects.deliveries:
        delivery = _stored(effects, each, profile, targets)
        target = each.effect.target
        if each.effect.ordered and profile is not None:
            before = tails.get(target)
            if before is not None:
                delivery = structs.replace(delivery, after=before.ids, due=_due_behind(before, delivery.due))
            tails[target] = Tail((delivery.id,), delivery.due)
        made.append(delivery)
    if profile is not None and tails != profile.tails:
        profile = structs.replace(profile, tails=tails)
    return tuple([RecordWrite(DELIVERIES, each, 0) for each in made]), profile


def _due_behind(before: Tail, due: int) -> int:
    """Return when a delivery is due behind others that are due at about the same time: a little later.

    Senders take what is due in the order of time. If those of one moment came in another order than that in which they
    are sent, most would be looked at, and put off, again and again.
    """
    return before.at + 1 if due <= before.at <= due + SAME_MOMENT_MS else due


def _recent(profile: Profile | None, now: int) -> dict[str, Tail]:
    if profile is None or not profile.tails:
        return {}
    return {target: tail for target, tail in profile.tails.items() if tail.at > now - TAIL_MS}


def _stored(
    effects: UnitEffects, requested: RequestedDelivery, profile: Profile | None, targets: Mapping[str, Target]
) -> StoredDelivery:
    context, effect, session = effects.context, requested.effect, effects.state.scope["session"]
    target = targets.get(effect.target)
    return StoredDelivery(
        id=delivery_id(context.seed, requested.event.id, requested.flow, requested.node, requested.number),
        target=effect.target,
        queue=queue_of(effect.target, _shard(profile, target.shards if target is not None else 1)),
        at=context.now,
        source=context.source.source,
        event=requested.event.id,
        flow=requested.flow,
        node=requested.node,
        message=effect.message,
        ordered=effect.ordered and profile is not None,
        due=context.now + effect.after_ms,
        mode=context.source.mode,
        run=run_id(requested.event.id, requested.flow, requested.version, context.seed),
        profile=effects.state.acting_id if profile is not None else None,
        session=session["id"] if session else None,
        other_profiles=requested.other_profiles,
        hops=context.hops,
    )


def _shard(profile: Profile | None, shards: int) -> int:
    """Return the shard of a profile's deliveries: by the id that never changes while it is the canonical one."""
    if profile is None or shards == 1:
        return 0
    return int(short_hash("shard", profile.id)[:8], 16) % shards
