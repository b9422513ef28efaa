"""`schemas/*.yaml`: the fields of the events of one type, with their types."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct, structs

from engine.problem import KeyPath, Problem
from engine.project.source import Source, schema_of
from engine.schema.schema import MAX_FIELDS, MAX_NAME, DeclaredField, Schema
from engine.schema.value_type import ValueType, read_type, type_remedy
from engine.tracking.intake.consent import CONSENT_CHANGED
from engine.tracking.intake.payload import usable
from flows.typed import read_struct


class FieldOfFile(Struct, frozen=True, kw_only=True):
    """A field with more than a type."""

    type: Annotated[str, Meta(description="The type of its values, e.g. DOUBLE")]
    description: str = ""
    personal: Annotated[bool, Meta(description="Mask its values for those who may not see personal data")] = False


class SchemaFile(Struct, frozen=True, kw_only=True):
    """The keys of a file in `schemas/`."""

    schema: Annotated[str, Meta(description="The type of the events that it describes")]
    description: str = ""
    fields: Annotated[
        dict[
            str,
            Annotated[
                str | FieldOfFile, Meta(description="write a type, e.g. `DOUBLE`, or a map, e.g. `{type: DOUBLE}`")
            ],
        ],
        Meta(description="The types of properties by their names, e.g. total: DOUBLE"),
    ]


def read_schema(data: Any) -> tuple[Schema | None, list[Problem]]:
    """The schema in `data`, or None with its problems."""
    file, problems = read_struct(SchemaFile, data, "a schema")
    if file is None:
        return None, problems
    problems += _problems_of_names(file)
    fields = {name: _field(name, given, problems) for name, given in file.fields.items()}
    declared = {name: field for name, field in fields.items() if field is not None}
    schema = Schema(collection=file.schema, description=file.description, fields=declared)
    return (None if problems else schema), problems


def with_fixed_schema(sources: Mapping[str, Source]) -> dict[str, Source]:
    """The sources as `disable_dynamic_schema` makes them: the schema of each is fixed, unless it says `none` itself."""
    return {
        name: source if source.schema == "none" else structs.replace(source, schema="fixed")
        for name, source in sources.items()
    }


def unused_schema(schema: Schema, sources: Mapping[str, Source]) -> Iterator[Problem]:
    """A problem for a schema that no source applies."""
    if all(schema_of(source) == "none" for source in sources.values()):
        yield Problem(
            code="H432",
            message=f"no source applies the schema of `{schema.collection}`",
            path=("schema",),
            help="write `schema: learn` or `schema: fixed` in the file of a source, in sources/",
            severity="warning",
        )


def _problems_of_names(file: SchemaFile) -> list[Problem]:
    problems = []
    if not usable(file.schema) or len(file.schema) > MAX_NAME:
        message = f"`{file.schema}` cannot be the type of an event"
        remedy = f"write at most {MAX_NAME} characters that can be printed, without spaces around them"
        problems.append(Problem(code="H404", message=message, path=("schema",), help=remedy))
    if file.schema == CONSENT_CHANGED:
        message = f"`{CONSENT_CHANGED}` has no schema: Headrace itself says what its properties are"
        problems.append(Problem(code="H404", message=message, path=("schema",), help="delete this file"))
    if len(file.fields) > MAX_FIELDS:
        message = f"`{file.schema}` has {len(file.fields)} fields, and a schema has at most {MAX_FIELDS}"
        remedy = "declare one MAP field in place of names that are data"
        problems.append(Problem(code="H404", message=message, path=("fields",), on="key", help=remedy))
    for name in file.fields:
        if len(name) > MAX_NAME:
            message = f"the name of a field has at most {MAX_NAME} characters"
            problems.append(Problem(code="H404", message=message, path=("fields", name), on="key"))
    return problems


def _field(name: str, given: str | FieldOfFile, problems: list[Problem]) -> DeclaredField | None:
    """The declaration of a field; None with a problem."""
    at: KeyPath = ("fields", name) if isinstance(given, str) else ("fields", name, "type")
    written = given if isinstance(given, str) else given.type
    type: ValueType | None = read_type(written)
    if type is None:
        message, remedy = f"`{written[:80]}` is not a type of fields", type_remedy(written)
        problems.append(Problem(code="H431", message=message, path=at, help=remedy))
        return None
    if isinstance(given, str):
        return DeclaredField(type=type)
    return DeclaredField(type=type, description=given.description, personal=given.personal)
