"""The searchable fields of each kind of document, and how their values are compared."""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from engine.problem import closest

# word: a text that is compared as a whole. prose: a sentence; a part of it matches. free: any JSON below this name;
# its leaves are compared as words, and numbers among them also by ranges.
FieldType = Literal["word", "prose", "moment", "number", "free"]


class Searchable(Struct, frozen=True, kw_only=True):
    """The fields by which one kind of document can be searched: their types by name.

    `newest` names the time (ms) by which results are ordered; it never changes. `omitted` are texts that a document may
    have in a field without being stored with it: the field's default. `stand_ins` names, for a time that documents may
    lack, the fields that tell it then, the first one of which counts; a word counts if it is a time as it is stored.
    """

    name: str
    fields: Mapping[str, FieldType]
    newest: str
    omitted: tuple[str, ...] = ()
    stand_ins: Mapping[str, tuple[str, ...]] = {}


PROFILES: Final = Searchable(
    name="profiles",
    fields={
        "id": "word",
        "ids": "word",
        "segments": "word",
        "traits": "free",
        "pii": "free",
        "consents": "free",
        "metadata.created": "moment",
        "metadata.updated": "moment",
        "metadata.version": "number",
    },
    newest="metadata.created",
)
SESSIONS: Final = Searchable(
    name="sessions",
    fields={
        "id": "word",
        "source": "word",
        "profile": "word",
        "created": "moment",
        "properties": "free",
        "context": "free",
    },
    newest="created",
)


class Field(Struct, frozen=True):
    """A field: `path` (names joined by dots) below the document's member `root`."""

    root: str
    path: str = ""
    type: FieldType = "word"

    @property
    def name(self) -> str:
        """The name of the field in a query."""
        return f"{self.root}.{self.path}" if self.path else self.root


def field_of(name: str, searchable: Searchable) -> Field | None:
    """Return the field called `name` of a kind of document, or None."""
    known = searchable.fields
    root, dot, path = name.partition(".")
    if name in known:
        return Field(root, path, known[name])
    if dot and path and known.get(root) == "free":
        return Field(root, path, "free")
    return None


def all_fields(searchable: Searchable) -> tuple[Field, ...]:
    """Return the fields in which a word without a field is searched: all but times and numbers."""
    return tuple(Field(name, "", type) for name, type in searchable.fields.items() if type in {"word", "prose", "free"})


def remedy(name: str, searchable: Searchable) -> str:
    """Return the help for an unknown field: the closest one, and the list of all."""
    known = searchable.fields
    names = [f"`{field}.NAME`" if type == "free" else f"`{field}`" for field, type in known.items()]
    listed = f"{searchable.name} have {', '.join(names)}"
    near = _closest_field(name, searchable)
    return f"did you mean `{near}`? {listed}" if near else listed


def _closest_field(name: str, searchable: Searchable) -> str | None:
    near = closest(name, searchable.fields)
    free = [known for known, type in searchable.fields.items() if type == "free"]
    if near is not None or not free:
        return near
    root, dot, path = name.partition(".")
    if not dot:
        return f"{free[0]}.{name}"
    closest_root = closest(root, free) or next((known for known in free if known.startswith(root[:4])), None)
    return f"{closest_root}.{path}" if closest_root and path else None
