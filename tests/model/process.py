"""A process: the store that it uses, and what it remembers until it crashes."""

from collections.abc import Iterable
from typing import NamedTuple

from tests.model.documents import Entry, ProfileDocument, Refused
from tests.model.rules import Kind
from tests.model.store import Steps, Store, get


class Process:
    """Remembers the entries that it knows to be finished, and the documents that it wrote last."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.done: set[int] = set()  # tokens of entries
        self.held: dict[str, tuple[ProfileDocument, int]] = {}

    def wrong(self, variant: str) -> bool:
        """Whether this wrong variant of the protocol is on."""
        return variant in self.store.variants

    def unfinished(self, entries: Iterable[Entry]) -> list[Entry]:
        """The entries that it does not know to be finished."""
        return [entry for entry in entries if entry.token not in self.done]


class Unit(NamedTuple):
    """An event as a client sends it, or something that an operator does.

    Kinds: `event` acts under its session's id, else its pair's; `attach` under the id that a look-up returned;
    `profileless` under none; `undo` takes away a link of its pair.
    """

    event: str
    kind: str
    visitor: str = ""
    user: str = ""
    by: Kind = "claim"  # of the user
    keys: tuple[tuple[str, Kind], ...] = ()
    alias: str = ""
    alias_id: str = ""
    session: str | None = None
    hand_over: str = ""  # the user whom the session is handed over to
    amount: int = 100
    targets: tuple[str, ...] = ()
    stored: bool = True


class Forgotten(Exception):
    """The unit's id, or its session, is forgotten."""


def is_forgotten(id: str) -> Steps[bool]:
    """Whether an id, or `session/NAME`, is forgotten."""
    tombstone, _ = yield from get("refused/" + id, Refused)
    return tombstone is not None
