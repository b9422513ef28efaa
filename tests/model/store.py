"""A store without transactions: documents with versions, compare-and-set, lost and late responses."""

import random
from collections import Counter
from collections.abc import Callable, Collection, Generator
from typing import Any, NamedTuple, TypeAlias, TypeVar

from tests.model.documents import Document

T = TypeVar("T")
D = TypeVar("D", bound=Document)

BLIND = -1  # the version of a write that does not compare
LOST = 0.04  # of the responses
WRITTEN = 0.4  # of the writes whose response is lost, that are written at once
LATE = 0.3  # and those that are written later


class Get(NamedTuple):
    """Read a document."""

    key: str


class Put(NamedTuple):
    """Write a document if it is at this version, 0 for one that must not exist; without a document: delete it."""

    key: str
    document: Document | None
    version: int


class Acknowledge(NamedTuple):
    """Answer the client: the id of the profile, and the events that the profile shows."""

    answer: str | None
    visible: frozenset[str] = frozenset()


class Refuse(NamedTuple):
    """Refuse the unit: for now, or since its id is forgotten."""

    for_good: bool = False


class Pause(NamedTuple):
    """Let others go first."""


Step: TypeAlias = Get | Put | Acknowledge | Refuse | Pause
Steps: TypeAlias = Generator[Step, Any, T]


class Again(Exception):
    """An attempt has to begin again: another process was faster, or an outcome is unknown."""


class Broken(AssertionError):
    """The protocol breaks a promise."""


def expect(holds: object, *why: object) -> None:
    """Raises `Broken` with the reason unless the condition holds."""
    if not holds:
        raise Broken(" ".join(map(str, why)))


def get(key: str, of: type[D]) -> Steps[tuple[D | None, int]]:
    """Read a document and its version, 0 without one."""
    document, version = yield Get(key)
    expect(document is None or isinstance(document, of), key, "is no", of.__name__)
    return document, version


def must(key: str, document: Document | None, version: int) -> Steps[int]:
    """Write, and return the new version. Raises `Again` after a conflict and when the outcome is unknown."""
    written: int | None = yield Put(key, document, version)
    if not written:
        raise Again
    return written


def attempt(key: str, document: Document | None, version: int) -> Steps[bool]:
    """Write; returns False after a conflict. Raises `Again` when the outcome is unknown."""
    written: int | None = yield Put(key, document, version)
    if written is None:
        raise Again
    return written > 0


class Late(NamedTuple):
    """A write whose response is lost and that is still on its way; `born` is when its task began."""

    put: Put
    born: int


class Store:
    """The documents. `observe` is called before each write with its key, the old and the new document."""

    def __init__(self, seed: int, variants: Collection[str] = (), report: Callable[[str], None] | None = None) -> None:
        self.random = random.Random(seed)
        self.variants = frozenset(variants)
        self.documents: dict[str, tuple[Document, int]] = {}
        self.created: Counter[str] = Counter()  # how often each document was created since it was last deleted
        self.late: list[Late] = []
        self.statistics: Counter[str] = Counter()
        self.faults = True
        self.now = 0
        self.observe: Callable[[str, Document | None, Document | None], None] = lambda *_: None
        self._report = report

    def tick(self) -> int:
        """A number that rises with each call and each write."""
        self.now += 1
        return self.now

    def keys(self, *kinds: str) -> list[str]:
        """The keys of documents of these kinds: a search. What it finds is read again."""
        return sorted(key for key in self.documents if key.startswith(kinds))

    def execute(self, step: Get | Put, born: int = 0) -> object:
        """The response; None for a write whose response is lost."""
        if isinstance(step, Get):
            return self.documents.get(step.key, (None, 0))
        if self.faults and self.random.random() < LOST:
            self.statistics["unknown outcomes"] += 1
            chance = self.random.random()
            if chance < WRITTEN:
                self.apply(step)
            elif chance < WRITTEN + LATE:
                self.late.append(Late(step, born))
            return None
        return self.apply(step)

    def apply(self, put: Put) -> int:
        """Write; returns the new version, 0 after a conflict."""
        key, document, version = put
        old, at = self.documents.get(key, (None, 0))
        if version not in (BLIND, at):
            return 0
        self.observe(key, old, document)
        self.tick()
        if self._report is not None:
            self._report(f"{self.now:6} {key} v{at} {document}")
        if document is None:
            self.documents.pop(key, None)
            self.created.pop(key, None)
        else:
            self.documents[key] = document, self.now
            self.created[key] += not at
        return self.now
