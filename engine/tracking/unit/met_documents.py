"""The documents of other profiles that a unit reads: one that is read twice must be the same, or the unit runs again.

A unit that decides twice by two versions of a document has decided as in no order of the units. The commit compares
only the versions of the documents that are written.
"""

from engine.ports.store import Conflict
from engine.profile.document import Profile


class MetDocuments:
    """The versions that one run of a unit has read. `own` is its own profile, whose version the commit compares."""

    def __init__(self, own: Profile | None) -> None:
        self._own = own.parts.keys() if own is not None else frozenset[str]()
        self._versions: dict[str, int] = {}

    def add(self, document: Profile | None) -> None:
        """Add a document that was read. Raises `Conflict` if it was read at another version before."""
        if document is None or not self._own.isdisjoint(document.parts):
            return
        if self._versions.setdefault(document.id, document.version) != document.version:
            raise Conflict("profile", document.id)
