"""Tallies: what a part has counted over time, by counter and bucket.

Tallies are no cells. They only ever gather, so those of several parts add up, and each part keeps its own when they
are set apart. Buckets grow together in the part that counts; `engine.language.buckets` says why that changes no count.
"""

from collections.abc import Collection, Mapping
from typing import Any

from engine.language.buckets import Buckets, Number, grown, key, total
from engine.profile.document import Part
from engine.profile.operations import Count, Refused
from engine.profile.value import added

Tallies = Mapping[str, Buckets]

COUNTERS = "counters"  # the root under which a profile shows them
MAX_COUNTERS = 200  # of one part


def tallied(tallies: Tallies, op: Count) -> dict[str, Any]:
    """The tallies after something more was counted; raises `Refused` when it is no number that can be counted."""
    kept, bucket = tallies.get(op.name), key(op.at)
    if kept is None:
        if len(tallies) >= MAX_COUNTERS:
            raise Refused(f"a profile has at most {MAX_COUNTERS} counters")
        kept = {}
    amount = added(kept.get(bucket, 0), op.by, op.path)
    new = {**kept, bucket: amount}
    return {**tallies, op.name: new if bucket in kept else grown(new)}


def added_up(parts: Collection[Part]) -> dict[str, Any]:
    """What the counters of all parts come to."""
    with_some = [part.tallies for part in parts if part.tallies]
    if len(with_some) == 1:
        return dict(with_some[0])
    gathered: dict[str, dict[str, list[Number]]] = {}
    for tallies in with_some:
        for name, kept in tallies.items():
            for bucket, amount in kept.items():
                gathered.setdefault(name, {}).setdefault(bucket, []).append(amount)
    return {name: grown({bucket: total(each) for bucket, each in kept.items()}) for name, kept in gathered.items()}
