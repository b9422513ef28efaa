"""`imports/*.yaml`: how the rows of a file become events."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta, Struct, field

from engine.flow.names import ProjectNames
from engine.problem import KeyPath, Problem
from engine.project.import_mapping import ROW_ROOTS, ImportMapping
from engine.project.row_format import RowFormat
from flows.mapping import NO_NAMES, read_mapping
from flows.reader import read_yaml
from flows.typed import read_struct, suggest_key

SHIPPED: Final = Path(__file__).parent / "imports"  # those that come with the package
EXAMPLE: Final = 'add `event: {type: order, id: "{{ row.order_id }}", user: "{{ row.customer }}"}`'

_OTHER_NAMES: Final = {
    **dict.fromkeys(("id", "name", "importer"), "import"),
    **dict.fromkeys(("mapping", "map", "events", "transform", "row", "columns"), "event"),
    **dict.fromkeys(("csv", "reader", "file", "options", "type"), "format"),
}  # what other tools call the keys


class ImportFile(Struct, frozen=True, kw_only=True):
    """The keys of a file in `imports/`. The value of `event` is read by another module."""

    name: Annotated[
        str, Meta(description="The name by which the command calls it", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    ] = field(name="import")
    description: str = ""
    source: Annotated[str | None, Meta(description="The source of its events, unless the command names one")] = None
    format: Annotated[RowFormat, Meta(description="How the file is written, where that is not obvious")] = RowFormat()
    event: Any = None


def read_import(
    data: Mapping[str, Any], text: str, names: ProjectNames | None = None
) -> tuple[ImportMapping | None, list[Problem]]:
    """The import mapping in `data`, or None with its problems. `text` is that of its file.

    With `names` its source must be one of the project.
    """
    file, problems = read_struct(ImportFile, data, "an import", _suggest)
    if file is None:
        return None, problems
    if names is not None and file.source is not None and (problem := names.problem("source", file.source)) is not None:
        problems.append(problem.below(("source",)))
    if file.event is None:
        message = "an import needs `event`, which makes an event of a row"
        problems.append(Problem(code="H403", message=message, path=("import",), on="key", help=EXAMPLE))
        return None, problems
    mapping, found = read_mapping(file.event, ROW_ROOTS, ("event",), names=names or NO_NAMES)
    problems += found
    if mapping is None or any(problem.severity == "error" for problem in problems):
        return None, problems
    return (
        ImportMapping(
            name=file.name,
            mapping=mapping,
            text=text,
            description=file.description,
            source=file.source,
            format=file.format,
        ),
        problems,
    )


def shipped_import(name: str) -> ImportMapping:
    """Return a mapping that comes with the package. Raises `LookupError` if it has none of this name."""
    path = SHIPPED / f"{name}.yaml"
    if name not in shipped_imports():
        raise LookupError(name)
    document = read_yaml(path.read_text("utf-8"), path.name)
    mapping, problems = read_import(document.data, document.text)
    if mapping is None:
        raise LookupError(f"{name}: {problems[0].message}")
    return mapping


def shipped_imports() -> list[str]:
    """Return the names of the mappings that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def _suggest(key: str, at: KeyPath, known: Any) -> str:
    return f"write `{_OTHER_NAMES[key]}: …`" if key in _OTHER_NAMES and not at else suggest_key(key, at, known)
