"""Stores: one contract (`engine.ports.store.Store`), one adapter each for memory, SQLite, Elasticsearch."""

from collections.abc import Callable
from pathlib import Path

from engine.ports.store import Store
from storage.memory import MemoryStore
from storage.sqlite.store import SqliteStore


def _elasticsearch(rest: str, _base: Path) -> Store:
    from storage.elasticsearch.store import ElasticsearchStore  # its client takes longer to import than all else

    return ElasticsearchStore.open(rest)


KINDS: dict[str, Callable[[str, Path], Store]] = {
    "elasticsearch": _elasticsearch,
    "memory": lambda _rest, _base: MemoryStore(),
    "sqlite": lambda rest, base: SqliteStore.open(base / (rest or "headrace.db")),
}


SMALL_CACHE = 8_192  # KiB


class UnknownStore(ValueError):
    """A store URL of an unknown kind; the message lists the known kinds."""

    def __init__(self, url: str) -> None:
        known = ", ".join(f"`{kind}:`" for kind in sorted(KINDS))
        super().__init__(f"`{url}` names no known store; a store begins with {known}")
        self.url = url


def open_store(url: str, base: Path, *, small: bool = False) -> Store:
    """Open the store that `url` names: `sqlite:PATH` (relative to `base`), `memory:` or `elasticsearch:URL`.

    A `small` one takes less memory for pages of its file, for a command that reads few of them twice. Raises
    `UnknownStore`.
    """
    kind, colon, rest = url.partition(":")
    if not colon or kind not in KINDS:
        raise UnknownStore(url)
    if small and kind == "sqlite":
        return SqliteStore.open(base / (rest or "headrace.db"), cache=SMALL_CACHE)
    return KINDS[kind](rest, base)
