"""The commands of `headrace deliveries`, one function each."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.console import Console
from cli.options import JsonOption, KeyOption, ProjectOption, StoreOption, UrlOption, output_console

deliveries = typer.Typer(
    no_args_is_help=True,
    help="List what flows send to other systems, and send dead deliveries again or drop waiting ones.",
)

Ids = Annotated[list[str] | None, typer.Argument(help="Ids of deliveries", show_default=False)]
TargetOption = Annotated[str | None, typer.Option("--target", help="Only deliveries to this target")]
FlowOption = Annotated[str | None, typer.Option("--flow", help="Only deliveries of this flow")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation")]
LinesOption = Annotated[bool, typer.Option("--json", help="Print a JSON document for each, one on a line")]
Change = Literal["retry", "drop"]


@deliveries.command("list")
def list_command(
    target: TargetOption = None,
    state: Annotated[
        Literal["waiting", "sent", "dead", "dropped"] | None, typer.Option("--state", help="Only those in this state")
    ] = None,
    flow: FlowOption = None,
    limit: Annotated[int, typer.Option("--limit", help="How many to show at most; 0 for all", min=0)] = 50,
    json: LinesOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List deliveries, the newest first, with their state and the reason of the last failure.

    waiting: to be sent, now or again later. sent: the target has it.
    dead: refused, or given up. dropped: not to be sent.
    The store is only read, so its server may run meanwhile.
    """
    from cli.deliveries import Output, list_deliveries
    from cli.location import DataLocation
    from engine.sending.operations import Choice

    output = Output(output_console(), Console(stderr=True), json)
    choice = Choice((), target, flow, state)
    raise typer.Exit(list_deliveries(choice, limit, DataLocation(project, store, url, key), output))


@deliveries.command("show")
def show_command(
    id: Annotated[str, typer.Argument(help="The id of a delivery")],
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show a delivery: its message, its attempts, and what the target answered last. Secrets are not part of it."""
    from cli.deliveries import Output, show
    from cli.location import DataLocation

    output = Output(output_console(), Console(stderr=True), json)
    raise typer.Exit(show(id, DataLocation(project, store, url, key), output))


@deliveries.command("retry")
def retry_command(
    ids: Ids = None,
    target: TargetOption = None,
    flow: FlowOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Send dead deliveries again, under the same ids: those named, or all dead ones to a target or of a flow.

    A receiver that remembers the Idempotency-Key takes each once. Of an ordered one, the command says how many later
    ones of its profile have been sent since.
    While a server runs on a SQLite file, say --url, and the server does it.
    """
    raise typer.Exit(_changed("retry", ids, target, flow, yes, json, project, store, url, key))


@deliveries.command("drop")
def drop_command(
    ids: Ids = None,
    target: TargetOption = None,
    flow: FlowOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Do not send waiting deliveries: those named, or all waiting ones to a target or of a flow.

    What is being sent right now may still arrive. Ordered deliveries behind a dropped one are sent.
    While a server runs on a SQLite file, say --url, and the server does it.
    """
    raise typer.Exit(_changed("drop", ids, target, flow, yes, json, project, store, url, key))


def _changed(
    what: Change,
    ids: list[str] | None,
    target: str | None,
    flow: str | None,
    yes: bool,
    json: bool,
    project: Path,
    store: str | None,
    url: str | None,
    key: str | None,
) -> int:
    from cli.deliveries import Output, change
    from cli.location import DataLocation
    from engine.sending.operations import Choice

    if bool(ids) == bool(target or flow):
        raise typer.BadParameter("name deliveries by their ids, or say --target or --flow")
    output = Output(output_console(), Console(stderr=True), json)
    return change(what, Choice(tuple(ids or ()), target, flow), yes, DataLocation(project, store, url, key), output)
