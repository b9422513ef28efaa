"""A server whose SQLite store is away as long as a file `DATABASE.away` is there."""

from pathlib import Path

import storage
from cli.main import main
from engine.ports.store import Store
from storage.sqlite.store import SqliteStore
from tests.engine.tracking.unavailable_store import AwayStore


class SwitchedStore(AwayStore):
    """Away while its switch exists."""

    def __init__(self, store: Store, switch: Path) -> None:
        self._switch = switch
        super().__init__(store)

    @property
    def away(self) -> bool:
        return self._switch.exists()

    @away.setter
    def away(self, away: bool) -> None:
        assert not away


def switched(rest: str, base: Path) -> Store:
    path = base / rest
    store: Store = SwitchedStore(SqliteStore.open(path), path.with_name(path.name + ".away"))
    return store


storage.KINDS["sqlite"] = switched

if __name__ == "__main__":
    main()
