"""The commands of `headrace waits`, one function each."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import Console
from cli.options import JsonOption, KeyOption, ProjectOption, StoreOption, UrlOption, output_console

waits = typer.Typer(no_args_is_help=True, help="List the runs that wait, show one, or cancel some.")

WaitId = Annotated[str, typer.Argument(help="The id of the wait, as `list` prints it")]
FlowOption = Annotated[str, typer.Option("--flow", help="Only those of this flow", show_default=False)]
VersionOption = Annotated[
    str,
    typer.Option("--version", help="Only those of a version of a flow; its beginning is enough", show_default=False),
]


@waits.command("list")
def waits_list(
    flow: FlowOption = "",
    version: VersionOption = "",
    failed: Annotated[
        bool, typer.Option("--failed", help="List the runs that failed or were cancelled after a wait instead")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many to show; 0: all")] = 100,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List the runs that wait, the newest first: until when, and for which events.

    The store is only read, so its server may run meanwhile.
    """
    from cli.location import DataLocation
    from cli.waits import Choice, list_waits

    location, choice = DataLocation(project, store, url, key), Choice(flow, version, failed, limit)
    raise typer.Exit(list_waits(choice, location, json, output_console(), Console(stderr=True)))


@waits.command("show")
def waits_show(
    id: WaitId,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show a run that waits, as its profile has it now.

    The store is only read, so its server may run meanwhile.
    """
    from cli.location import DataLocation
    from cli.waits import show

    location = DataLocation(project, store, url, key)
    raise typer.Exit(show(id, location, json, output_console(), Console(stderr=True)))


@waits.command("cancel")
def waits_cancel(
    ids: Annotated[list[str] | None, typer.Argument(help="The ids of the waits, as `list` prints them")] = None,
    flow: FlowOption = "",
    version: VersionOption = "",
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """End runs that wait, by their ids, or all of a flow or a version. They end as `cancelled`, and do nothing more.

    A run whose time has come is not cancelled: it goes on any moment.
    A SQLite file has one writer: while a server runs on it, say --url, and the server does it.
    """
    from cli.location import DataLocation
    from cli.waits import Choice, cancel

    if bool(ids) == bool(flow or version):
        raise typer.BadParameter("name the ids of waits, or say --flow or --version")
    location, choice = DataLocation(project, store, url, key), Choice(flow, version, limit=0)
    raise typer.Exit(cancel(ids or [], choice, location, json, output_console(), Console(stderr=True)))
