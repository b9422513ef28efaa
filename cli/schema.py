"""`headrace schema show`: the fields of events with their types, on the store or by its server."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.call import call
from cli.console import print_lines, without_controls
from cli.document import Document, to_document, write_document
from cli.location import DataLocation, project_and_store
from cli.store import CommandError, opened_store, report_error, report_not_found
from engine.tracking.operations.schemas import NoSuchCollection, describe_schema, describe_schemas


def show(collection: str | None, location: DataLocation, json: bool, console: Console, error: Console) -> int:
    """Show all collections, or one. Exit code 1 when there is no such collection."""
    try:
        described = _described(collection, location, error)
    except NoSuchCollection as unknown:
        return report_not_found(error, unknown)
    except CommandError as failure:
        return report_error(error, str(failure))
    if json:
        write_document(described if collection is None else described[0])
        return 0
    if not described:
        error.print("No field is declared or learnt yet: docs/schemas.md says how.", markup=False, soft_wrap=True)
    for number, document in enumerate(described):
        if number:
            console.print()
        _print(document, console)
    return 0


def _described(collection: str | None, location: DataLocation, error: Console) -> list[Document]:
    if (server := location.server()) is not None:
        path = "/schemas" if collection is None else f"/schemas/{quote(collection, safe='')}"
        response: Any = call(server, "GET", path)
        return list(response) if collection is None else [response]
    project, url = project_and_store(location, error)

    async def read() -> list[dict[str, Any]]:
        async with opened_store(url, location.root) as store:
            if collection is None:
                return await describe_schemas(store, project)
            return [await describe_schema(store, project, collection)]

    return [to_document(one) for one in asyncio.run(read())]


def _print(document: Document, console: Console) -> None:
    print_lines(console, [Text.assemble((document["schema"], "bold"), ("  " + document["description"], "dim"))])
    fields = document["fields"]
    if not fields:
        print_lines(console, [Text("  no fields", "dim")])
        return
    counted = "refused" in fields[0]
    table = Table("field", "type", "from", "since", "event", *(["refused"] if counted else []), box=None, pad_edge=True)
    for field in fields:
        table.add_row(*[Text(without_controls(cell)) for cell in _cells(field, counted)])
    console.print(table)
    print_lines(console, _notes(document))


def _cells(field: Document, counted: bool) -> Iterable[str]:
    learnt = field.get("learnt")
    yield field["name"]
    yield field["type"]
    yield field["from"] + (f" (learnt: {learnt})" if learnt not in (None, field["type"]) else "")
    yield _time(field["since"]) if "since" in field else ""
    yield field.get("event", "")
    if counted:
        yield str(field["refused"] or "")


def _notes(document: Document) -> Iterable[Text]:
    if document["full"]:
        yield Text("  It has as many fields as can be learnt: others have no type.", "yellow")
    if document.get("refused_more"):
        yield Text("  More values were refused; these are the newest ones.", "dim")


def _time(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")
