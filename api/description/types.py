"""JSON Schemas of types: OpenAPI 3.1 speaks the dialect in which msgspec writes them."""

from collections.abc import Iterable
from inspect import cleandoc
from typing import Any, Final

import msgspec

PLACE: Final = "#/components/schemas/{name}"
ANY_OBJECT: Final = {"type": "object", "additionalProperties": True}


def schemas_of(types: Iterable[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the schema of each type, and the components that they refer to, by the names of their Structs."""
    schemas, components = msgspec.json.schema_components(list(types), ref_template=PLACE, schema_hook=_anything)
    return [_tidy(schema) for schema in schemas], {name: _tidy(components[name]) for name in sorted(components)}


def _anything(type: Any) -> dict[str, Any]:
    """Return the schema of JSON that is kept as it came. Raises `NotImplementedError` for any other type."""
    if type is msgspec.Raw:
        return {}
    raise NotImplementedError(f"{type} has no schema: describe it with a Struct")


def _tidy(schema: Any) -> Any:
    """Return a schema as generators of clients need it.

    A text has no indentation of a docstring. An object that may have any members says so. No member has a default:
    generators take such a member for one that is always there, and Headrace leaves out what has its default.
    """
    match schema:
        case {"type": "object", **more} if not more:
            return ANY_OBJECT
        case dict():
            found: dict[str, Any] = {
                key: _members(value) if key == "properties" else _tidy(value) for key, value in schema.items()
            }
            if "description" in found:
                found["description"] = cleandoc(found["description"])
            return found
        case list() | tuple():
            return [_tidy(each) for each in schema]
    return schema


def _members(schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas of an object's members, by name."""
    tidy = {name: _tidy(schema) for name, schema in schemas.items()}
    return {name: {key: value for key, value in schema.items() if key != "default"} for name, schema in tidy.items()}
