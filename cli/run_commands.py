"""The commands about runs: `headrace runs`, `replay`, `graph` and `send`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import Console
from cli.options import JsonOption, KeyOption, ProjectOption, StoreOption, UrlOption, output_console

runs = typer.Typer(invoke_without_command=True, help="List kept runs, count all, and show one with its trace.")

WhereOption = Annotated[str, typer.Option("--where", metavar="QUERY", help="A query over runs, see docs/search.md")]


@runs.callback()
def runs_list(
    context: typer.Context,
    where: WhereOption = "",
    group: Annotated[
        str,
        typer.Option(
            "--group", help="Count all runs by flow, version, outcome, node, port or reason, or several: flow,reason"
        ),
    ] = "",
    since: Annotated[str, typer.Option("--since", help="How far back runs are counted: 15m, 24h, 7d")] = "24h",
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many to print; 0: all")] = 20,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List kept runs, the newest first, below the exact counts of all runs.

    For example `headrace runs --where 'outcome:failed flow:cart'`, `headrace runs --where 'nodes:"crm:failed"'`,
    `headrace runs --group reason` and `headrace runs show ID`.
    The store is only read, so its server may run meanwhile.
    """
    if context.invoked_subcommand is not None:
        return
    from cli.location import DataLocation
    from cli.runs import GROUPS, RunsRequest, list_runs

    groups = tuple([name.strip() for name in group.split(",") if name.strip()])
    if unknown := [name for name in groups if name not in GROUPS]:
        raise typer.BadParameter(f"`{unknown[0]}`: one of {', '.join(GROUPS)}", param_hint="--group")
    request = RunsRequest(where, DataLocation(project, store, url, key), since, limit, groups, json)
    raise typer.Exit(list_runs(request, output_console(), Console(stderr=True)))


@runs.command("show")
def runs_show(
    id: Annotated[str, typer.Argument(help="The id of a run, as `headrace runs` prints it")],
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show a kept run: its path, and what each node read, changed and asked.

    The store is only read, so its server may run meanwhile.
    """
    from cli.location import DataLocation
    from cli.runs import show_run

    location = DataLocation(project, store, url, key)
    raise typer.Exit(show_run(id, location, json, output_console(), Console(stderr=True)))


def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="The ids of runs", show_default=False)] = None,
    where: Annotated[
        str | None, typer.Option("--where", metavar="QUERY", help="All runs that a query finds", show_default=False)
    ] = None,
    other: Annotated[
        Path | None,
        typer.Option("--with", metavar="DIR", help="Run the flows of this project", show_default="the served ones"),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do the failed runs again, each once")] = False,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many runs at most; 0: 5,000")] = 1000,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Run kept runs again from their recordings, and print what differs: path, ports, changes, deliveries.

    Nothing is written and nothing is sent, unless you say --apply: then each failed run is done again on its profile
    as it is now, with look-ups of its own, in a unit of its own; a second time it is refused.

    For example `headrace replay --where 'flow:cart' --with ../shop-next` before a change goes live, and
    `headrace replay --where 'flow:cart outcome:failed' --apply --url http://127.0.0.1:8686` after one.
    Exit code 1: a run was refused, with the reason.
    """
    from cli.location import DataLocation
    from cli.replay import ReplayRequest, replay_runs

    if bool(ids) == (where is not None):
        raise typer.BadParameter("name runs, or say --where")
    location = DataLocation(project, store, url, key)
    request = ReplayRequest(tuple(ids or ()), where, location, other, apply, limit, json)
    raise typer.Exit(replay_runs(request, output_console(), Console(stderr=True)))


def graph(
    flow: Annotated[str, typer.Argument(help="The name of the flow")],
    run: Annotated[
        str | None, typer.Option("--run", metavar="ID", help="Also draw the path of this run", show_default=False)
    ] = None,
    format: Annotated[str, typer.Option("--format", help="svg, mermaid or dot")] = "svg",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file", show_default="standard output")
    ] = None,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Draw a flow as a picture, e.g. `headrace graph cart -o cart.svg`; with --run, the path that a run took."""
    from typing import get_args

    from cli.graph import Format, draw_flow
    from cli.location import DataLocation

    if format not in get_args(Format):
        raise typer.BadParameter("svg, mermaid or dot", param_hint="--format")
    location = DataLocation(project, store, url, key)
    raise typer.Exit(draw_flow(flow, run, format, output, location, Console(stderr=True)))  # type: ignore[arg-type]


def send(
    what: Annotated[str, typer.Argument(metavar="FILE|TYPE", help="A JSON file with an event or a payload, or a type")],
    properties: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A property; JSON, else text; repeatable")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="The source that sends it", show_default="the only one")
    ] = None,
    session: Annotated[str | None, typer.Option("--session", help="Its session", show_default="a new one")] = None,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    url: Annotated[str, typer.Option("--url", help="The running server")] = "http://127.0.0.1:8686",
) -> None:
    """Send an event to a running server with the debugger on, and print what its flows made of it.

    For example `headrace send order-paid --set total=610 --set email=ann@example.com`.
    Exit code 1: an event was rejected.
    """
    from cli.send import SendRequest, send_event

    request = SendRequest(what, tuple(properties or ()), source, session, project, url, json)
    raise typer.Exit(send_event(request, output_console(), Console(stderr=True)))
