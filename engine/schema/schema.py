"""Collections and their fields: declared by the project's authors, or learnt from the first event that has them.

A collection is all events of one type. A declared field has the type that its file says. A learnt one has that of its
first value, for good: a claim that the first one wins, for all processes.
"""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field, structs

from engine.schema.value_type import ValueType

MAX_FIELDS: Final = 500  # of a collection: learnt ones, and declared ones
MAX_COLLECTIONS: Final = 200  # with learnt fields
MAX_NAME: Final = 200  # characters of the name of a field or a collection


class DeclaredField(Struct, frozen=True, kw_only=True):
    """A field that a file in `schemas/` declares."""

    type: ValueType
    description: str = ""
    personal: bool = False  # its values are masked for those who may not see personal data


class Schema(Struct, frozen=True, kw_only=True):
    """A declared collection: one file in `schemas/`. Its events may have other fields, too."""

    collection: str
    description: str = ""
    fields: Mapping[str, DeclaredField] = field(default_factory=dict)


class LearntField(Struct, frozen=True):
    """A field whose type its first value has decided: when (ms), and in which event."""

    type: ValueType
    at: int
    event: str


class Learnt(Struct, frozen=True):
    """The learnt fields of a collection, by name, in the order in which they were learnt."""

    fields: Mapping[str, LearntField] = {}

    @property
    def full(self) -> bool:
        """Whether no further field can be learnt: then all that it lacks have no type, for good."""
        return len(self.fields) >= MAX_FIELDS

    def with_claims(self, claims: Mapping[str, LearntField]) -> "Learnt":
        """Return the fields with those that are claimed: the first claim wins, and a full collection takes none."""
        new = {name: claim for name, claim in claims.items() if name not in self.fields}
        room = MAX_FIELDS - len(self.fields)
        return structs.replace(self, fields={**self.fields, **dict(list(new.items())[:room])}) if new else self
