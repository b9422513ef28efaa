"""The commands of `headrace profile`, one function each."""

import re
from pathlib import Path
from typing import Annotated

import typer

from cli.console import Console
from cli.options import JsonOption, KeyOption, ProfileId, ProjectOption, StoreOption, UrlOption, output_console

profiles = typer.Typer(no_args_is_help=True, help="Show or export a profile, and undo what has merged it with another.")


@profiles.command("show")
def profile_show(
    id: ProfileId,
    why: Annotated[bool, typer.Option("--why", help="Also show its parts, and the links that join them")] = False,
    claims: Annotated[
        bool, typer.Option("--claims", help="Also show the profiles that claim keys which this one has proven")
    ] = False,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show a profile by any of its ids; with --why, also which events linked its ids and how.

    The store is only read, so its server may run meanwhile.
    """
    from cli.location import DataLocation
    from cli.profile import show

    location = DataLocation(project, store, url, key)
    raise typer.Exit(show(id, location, why, claims, json, output_console(), Console(stderr=True)))


@profiles.command("timeline")
def profile_timeline(
    wanted: Annotated[
        str, typer.Argument(metavar="ID|KEY", help="Any id of the profile, or a key: an e-mail address, `PATH=VALUE`")
    ],
    before: Annotated[
        int | None, typer.Option("--before", help="Only what happened at this time (ms) or earlier")
    ] = None,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show what became of a profile: its events with their runs, segments, links, deliveries and waits, newest first.

    The store is only read, so its server may run meanwhile.
    """
    from cli.location import DataLocation
    from cli.timeline import show_timeline

    location = DataLocation(project, store, url, key)
    raise typer.Exit(show_timeline(wanted, location, before, json, output_console(), Console(stderr=True)))


@profiles.command("unmerge")
def profile_unmerge(
    id: ProfileId,
    link: Annotated[str, typer.Argument(help="The link's id or its beginning, as `show --why` prints it")],
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Undo a link of an id: the ids that no other link joins with it have again what came in under them.

    The id is never linked to the same key in the same way again; other links may join it.
    A SQLite file has one writer: while a server runs on it, say --url, and the server does it.
    On Elasticsearch the command works on the store, whether servers run or not.
    """
    from cli.location import DataLocation
    from cli.profile import unmerge

    location = DataLocation(project, store, url, key)
    raise typer.Exit(unmerge(id, link, location, json, output_console(), Console(stderr=True)))


@profiles.command("export")
def profile_export(
    id: ProfileId,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write", show_default="profile-ID.zip")
    ] = None,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Write all that is stored of a profile to one ZIP file, for the person whose data it is.

    The profile with its merges, sessions, events, runs and rejected events, under whichever of its ids they came.
    The store is only read, so its server may run meanwhile.
    """
    from cli.export import export
    from cli.location import DataLocation

    to = output or Path(f"profile-{re.sub('[^A-Za-z0-9_-]', '_', id)[:64]}.zip")
    raise typer.Exit(export(id, to, DataLocation(project, store, url, key), Console(), Console(stderr=True)))
