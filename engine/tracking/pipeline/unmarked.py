"""Event ids that had no mark a moment ago, read for all units of a request at once.

What is known here may be outdated: a unit that relies on it and is wrong fails at its commit with `Conflict`, since the
mark exists by then, and runs again. So each id is known for one attempt of one unit.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress

from engine.ports.store import Reads, Unavailable


class UnmarkedEvents:
    """The ids of one process, by source."""

    def __init__(self, store: Reads) -> None:
        self._store = store
        self.ids: set[tuple[str, str]] = set()

    async def read(self, source: str, ids: Sequence[str]) -> None:
        """Find those of `ids` that have no mark. A store that is away shows none."""
        with suppress(Unavailable):
            marks = await self._store.marks(source, tuple(ids))
            self.ids.update([(source, id) for id in ids if id not in marks])

    def take(self, source: str, ids: Iterable[str]) -> bool:
        """Return whether none of `ids` had a mark, as far as is known. After that nothing is known of them."""
        asked = {(source, id) for id in ids}
        known = asked <= self.ids
        self.ids -= asked
        return known

    def forget(self, source: str, ids: Iterable[str]) -> None:
        """Drop what is known of `ids`."""
        self.ids.difference_update([(source, id) for id in ids])
