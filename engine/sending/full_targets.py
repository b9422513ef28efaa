"""The targets for which so many deliveries wait that no more are written: counted from time to time, so about.

All deliveries of the store are counted first, ended ones too, which is cheap. Only if they are more than may wait for
one target, those that wait are counted for each target, by pages, and no further than to the limit.
"""

from collections.abc import Iterable
from typing import Final

from engine.ports.kinds import DELIVERIES
from engine.ports.store import Store
from engine.search.page import MAX_LIMIT
from engine.sending.operations import Choice

COUNT_SECONDS: Final = 60.0


async def full_targets(store: Store, targets: Iterable[str], most_open: int) -> frozenset[str]:
    """Return the targets for which at least `most_open` deliveries wait. Raises `Unavailable`."""
    if (await store.counts())[DELIVERIES.name] < most_open:
        return frozenset()
    return frozenset([target for target in targets if await _waiting(store, target, most_open) >= most_open])


async def _waiting(store: Store, target: str, most: int) -> int:
    """Return how many deliveries wait for a target; the count ends once it has reached `most`."""
    query = Choice(target=target, state="waiting").query()
    count, after = 0, None
    while count < most:
        page = await store.search(query, MAX_LIMIT, after)
        count += len(page.items)
        after = page.after
        if after is None:
            break
    return count
