"""Schemas of Avro files, checked before the library reads by them.

The library follows a schema as it is: one that refers to itself makes it recurse without bound and crash the process,
and a list of values that take no bytes may be said to have any number of them.
"""

import json
from typing import Any, Final

from fastavro.schema import SchemaParseException, parse_schema

from engine.ports.rows import UnreadableFile

MAX_DEPTH: Final = 30  # levels of types within one another
NAMED: Final = ("record", "error", "enum", "fixed")

Schema = dict[str, Any]


def read_schema(text: bytes) -> Schema:
    """Return the schema of rows in a file's header, parsed by the library. Raises `UnreadableFile`."""
    try:
        data = json.loads(text)
        _check_nesting(data)
        schema: Any = parse_schema(data)
    except RecursionError:
        raise UnreadableFile("the schema nests too deep") from None
    except (SchemaParseException, ValueError, TypeError, LookupError, AttributeError) as error:
        raise UnreadableFile(f"the schema is malformed: {type(error).__name__}: {error}"[:300]) from None
    if not isinstance(schema, dict) or schema.get("type") not in ("record", "error"):
        raise UnreadableFile("the schema is not that of records, so its values are no rows")
    _Types().depth(schema)
    return schema


def _check_nesting(data: Any) -> None:
    """Refuse JSON that no schema is, and the names by which the library marks a schema as parsed."""
    level = [data]
    for _ in range(4 * MAX_DEPTH):  # a type is a level, and its fields are two
        if any(isinstance(key, str) and key.startswith("__") for one in level if isinstance(one, dict) for key in one):
            raise UnreadableFile("the schema has a key that begins with `__`")
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise UnreadableFile("the schema nests too deep")


class _Types:
    """The named types of a schema, and how deep each is; None while a type is being checked."""

    def __init__(self) -> None:
        self._depths: dict[str, int | None] = {}

    def depth(self, schema: Any, *, in_union: bool = False) -> int:
        """Return the number of levels of a type. Raises `UnreadableFile` where the library must not read it."""
        if isinstance(schema, list):
            return self._checked(1 + max((self.depth(one, in_union=True) for one in schema), default=0))
        kind = schema["type"] if isinstance(schema, dict) else schema
        if isinstance(kind, dict | list):
            return self.depth(kind, in_union=in_union)
        if kind == "null" and not in_union:
            raise UnreadableFile("the schema has a `null` outside of a union")
        if kind in ("array", "map"):
            return self._checked(1 + self.depth(schema["items" if kind == "array" else "values"]))
        if kind in NAMED:
            return self._named(schema, kind)
        if kind in self._depths:
            known = self._depths[kind]
            if known is None:
                raise UnreadableFile(f"the type `{kind}` of the schema refers to itself")
            return known
        return 1

    def _named(self, schema: Schema, kind: str) -> int:
        name = schema["name"]
        self._depths[name] = None
        depth = 1
        if kind == "fixed" and not schema["size"] > 0:
            raise UnreadableFile(f"the type `{name}` of the schema has no size")
        if kind in ("record", "error"):
            if not schema["fields"]:
                raise UnreadableFile(f"the type `{name}` of the schema has no fields")
            depth = self._checked(1 + max(self.depth(field["type"]) for field in schema["fields"]))
        self._depths[name] = depth
        return depth

    def _checked(self, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise UnreadableFile(f"the schema nests too deep: it has at most {MAX_DEPTH} levels of types")
        return depth
