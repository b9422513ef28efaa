"""Names: which index a document is in."""

from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec import Struct

from engine.ports.kind import AnyKind, Kind
from engine.ports.kinds import KINDS
from storage.elasticsearch.kind_index import KindIndex
from storage.elasticsearch.periods import WEEK, is_week, week

WINDOW = WEEK  # of deduplication: marks are looked for in the weeks that it covers
SKEW = 300_000  # ms by which the clocks of processes may differ
RESERVED = frozenset({"profiles", "sessions", "keys", "marks", "meta"})  # indices that belong to no kind

R = TypeVar("R", bound=Struct)


class Names:
    """The names of a store's indices, and the indices of its kinds of records."""

    def __init__(self, prefix: str, kinds: Sequence[AnyKind] = KINDS) -> None:
        self.prefix = prefix
        self.profiles = f"{prefix}-profiles"
        self.sessions = f"{prefix}-sessions"
        self.keys = f"{prefix}-keys"
        self.meta = f"{prefix}-meta"
        self.marks = f"{prefix}-marks"  # an alias of the weekly indices
        if taken := RESERVED.intersection([kind.name for kind in kinds]):
            raise ValueError(f"no kind may be called {', '.join(taken)}")
        self.kinds: tuple[KindIndex[Any], ...] = tuple([KindIndex(prefix, kind) for kind in kinds])
        self.appended = [index for index in self.kinds if index.kind.lifecycle == "appended"]
        self.keyed = [index for index in self.kinds if index.kind.lifecycle == "keyed"]
        self.versioned = [index for index in self.kinds if index.kind.lifecycle == "versioned"]
        self.unversioned = [*self.appended, *self.keyed]
        self._by_name = {index.kind.name: index for index in self.kinds}

    def of(self, kind: Kind[R]) -> KindIndex[R]:
        """The index of a kind."""
        return self._by_name[kind.name]

    def called(self, name: str) -> KindIndex[Any]:
        """The index of the kind that is called `name`."""
        return self._by_name[name]

    def marks_at(self, time: int, now: int) -> str:
        """The index of a mark of that time. A mark whose time is far from now goes where readers look."""
        return f"{self.marks}-{week(time // WEEK if now - WINDOW <= time <= now + SKEW else now // WEEK)}"

    def holds_marks(self, index: str) -> bool:
        """Whether an index is one of the weekly indices of marks."""
        alias, _, period = index.rpartition("-")
        return alias == self.marks and is_week(period)

    def marks_now(self, now: int) -> list[str]:
        """The indices that readers look for marks in."""
        return [f"{self.marks}-{week(number)}" for number in range((now - WINDOW) // WEEK, (now + SKEW) // WEEK + 1)]
