"""What is erased when a profile is forgotten."""

from msgspec import Struct, structs

SessionName = tuple[str, str]  # source and id


class DataSubject(Struct, frozen=True):
    """Whose documents are to be erased: those of these profile ids, and of these sessions."""

    ids: frozenset[str]
    sessions: frozenset[SessionName] = frozenset()

    def sessions_by_source(self) -> dict[str, list[str]]:
        """The ids of the sessions, for each source that has any."""
        found: dict[str, list[str]] = {}
        for source, id in sorted(self.sessions):
            found.setdefault(source, []).append(id)
        return found


class Erased(Struct, frozen=True, omit_defaults=True):
    """How many documents of each kind have been erased."""

    profiles: int = 0  # with tombstones of merges
    sessions: int = 0
    events: int = 0
    runs: int = 0
    rejected: int = 0
    keys: int = 0
    marks: int = 0
    cache: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(structs.astuple(self))

    def __add__(self, other: "Erased") -> "Erased":
        """Both."""
        return Erased(*[a + b for a, b in zip(structs.astuple(self), structs.astuple(other), strict=True)])
