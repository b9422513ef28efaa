"""JSON Schemas of types: OpenAPI 3.1 speaks the dialect in which msgspec writes them."""

from collections.abc import Iterable
from inspect import cleandoc
from typing import Any, Final

import msgspec

PLACE: Final = "#/components/schemas/{name}"


def schemas_of(types: Iterable[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the schema of each type, and the components that they refer to, by the names of their Structs."""
    schemas, components = msgspec.json.schema_components(list(types), ref_template=PLACE, schema_hook=_anything)
    ordered = {name: _tidy(components[name]) for name in sorted(components)}
    return [_tidy(schema) for schema in schemas], ordered


def _anything(type: Any) -> dict[str, Any]:
    """Return the schema of a type that msgspec does not know. Raises `NotImplementedError` unless it is bytes as is."""
    if type is msgspec.Raw:
        return {}
    raise NotImplementedError(f"{type} has no schema: describe it with a Struct")


def _tidy(schema: Any) -> Any:
    """Return a schema without the indentation of docstrings, and without defaults that are no JSON."""
    match schema:
        case dict():
            found = {name: _tidy(value) for name, value in schema.items()}
            if isinstance(found.get("description"), str):
                found["description"] = cleandoc(found["description"])
            return found
        case list() | tuple():
            return [_tidy(each) for each in schema]
    return schema
