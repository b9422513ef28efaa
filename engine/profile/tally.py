"""Tallies: the counters over time that a part keeps, by counter and bucket.

Tallies are not cells. They are only ever added to, so the tallies of several parts add up, and each part keeps its own
when a profile is split. The counting part compacts its buckets; `engine.language.buckets` explains why that changes no
count.
"""

from collections.abc import Collection, Mapping
from typing import Any

from engine.language.buckets import Buckets, compacted, key, total
from engine.language.decimals import Exact
from engine.profile.document import Part
from engine.profile.operations import Count, Refused
from engine.profile.value import added

Tallies = Mapping[str, Buckets]

COUNTERS = "counters"  # the root of a view under which the tallies are
MAX_COUNTERS = 200  # of one part


def with_count(tallies: Tallies, op: Count) -> dict[str, Any]:
    """Return the tallies after one more count. Raises `Refused` for a number that cannot be counted."""
    buckets, bucket = tallies.get(op.name), key(op.at)
    if buckets is None:
        if len(tallies) >= MAX_COUNTERS:
            raise Refused(f"a profile has at most {MAX_COUNTERS} counters")
        buckets = {}
    amount = added(buckets.get(bucket, 0), op.by, op.path)
    new = {**buckets, bucket: amount}
    return {**tallies, op.name: new if bucket in buckets else compacted(new)}


def sum_tallies(parts: Collection[Part]) -> dict[str, Any]:
    """Return the counters of all parts added up, by name and bucket."""
    with_some = [part.tallies for part in parts if part.tallies]
    if len(with_some) == 1:
        return dict(with_some[0])
    amounts: dict[str, dict[str, list[Exact]]] = {}
    for tallies in with_some:
        for name, buckets in tallies.items():
            for bucket, amount in buckets.items():
                amounts.setdefault(name, {}).setdefault(bucket, []).append(amount)
    return {
        name: compacted({bucket: total(numbers) for bucket, numbers in buckets.items()})
        for name, buckets in amounts.items()
    }
