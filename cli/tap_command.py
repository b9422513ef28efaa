"""The command `headrace tap`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import Console
from cli.options import KeyOption, ProjectOption, output_console


def tap(
    flow: Annotated[str, typer.Option("--flow", help="Only runs of this flow")] = "",
    profile: Annotated[str, typer.Option("--profile", help="Only runs for the profile with this id")] = "",
    type: Annotated[str, typer.Option("--type", help="Only runs for events of this type")] = "",
    session: Annotated[str, typer.Option("--session", help="Only runs for events of this session")] = "",
    minutes: Annotated[int, typer.Option("--minutes", help="For how long", min=1, max=60)] = 10,
    json: Annotated[bool, typer.Option("--json", help="Print each run as a JSON document, one on a line")] = False,
    url: Annotated[str, typer.Option("--url", help="The running server")] = "http://127.0.0.1:8686",
    project: ProjectOption = Path(),
    key: KeyOption = None,
) -> None:
    """Trace runs of a running server fully for some minutes, and print them as they are stored.

    Name a flow, a profile, a session or a type of events, or several: all that is named must fit.
    These runs are kept, and all workers trace them. Ctrl-C ends it, also in the server.
    """
    from cli.location import DataLocation
    from cli.store import report_error
    from cli.tap import Wanted
    from cli.tap import tap as follow_runs

    error = Console(stderr=True)
    if not (flow or profile or type or session):
        raise typer.Exit(report_error(error, "Name what to trace: --flow, --profile, --type or --session."))
    location = DataLocation(project, None, url, key)
    wanted = Wanted(minutes, flow, profile, session, type)
    raise typer.Exit(follow_runs(wanted, location, output_console(), error, json=json))
