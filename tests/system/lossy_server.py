"""A server that lies: it acknowledges before the commit. The crash test must catch it."""

import asyncio

import storage
from cli.main import main
from engine.ports.records import Unit
from storage.sqlite.store import SqliteStore

LATE_SECONDS = 0.2


class LyingStore(SqliteStore):
    """Says that a unit is written, and writes it a little later."""

    async def commit(self, unit: Unit) -> None:
        loop = asyncio.get_running_loop()
        write = super().commit
        loop.call_later(LATE_SECONDS, lambda: asyncio.ensure_future(write(unit)))


storage.KINDS["sqlite"] = lambda rest, base: LyingStore.open(base / rest)

if __name__ == "__main__":
    main()
