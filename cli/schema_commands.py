"""The commands of `headrace schema`, one function each."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import Console
from cli.options import JsonOption, KeyOption, ProjectOption, StoreOption, UrlOption, output_console

schemas = typer.Typer(no_args_is_help=True, help="Show the types of events' properties, or infer them from events.")


@schemas.command("show")
def schema_show(
    collection: Annotated[
        str | None, typer.Argument(help="The type of events, e.g. order-paid", show_default="all types")
    ] = None,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show the fields of events with their types: declared in schemas/, or learnt from their first values.

    A learnt field says since when, and by which event. With the name of a type of events, each field also says how
    many values were refused so far: `headrace search rejected 'event:*'` finds them.

    Sources with `schema: learn` or `schema: fixed` apply these types; docs/schemas.md describes how.
    The store is only read, so its server may run meanwhile.
    """
    from cli.location import DataLocation
    from cli.schema import show

    location = DataLocation(project, store, url, key)
    raise typer.Exit(show(collection, location, json, output_console(), Console(stderr=True)))


@schemas.command("infer")
def schema_infer(
    files: Annotated[list[Path], typer.Argument(help="Files of events, JSON or a JSON document per line; - for input")],
    collection: Annotated[
        str | None, typer.Option("--type", help="The type of events, if the files have several")
    ] = None,
) -> None:
    """Print a file for schemas/ with the fields of recorded events, for you to check and to correct.

    A field has the type to which all of its values can be cast. For example:

    headrace search events type:order --limit 0 --json | headrace schema infer - > schemas/order.yaml

    An event is a JSON object with `type` (or `collection`) and `properties`: as /track takes it, as the store has it,
    or as Rakam's clients send it. Lists of events, and whole payloads with `events`, are read as well.
    """
    from cli.schema_inference import infer

    raise typer.Exit(infer(files, collection, Console(stderr=True)))
