"""The commands `headrace webhook`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.console import Console
from cli.options import JsonOption, ProjectOption, output_console

webhooks = typer.Typer(no_args_is_help=True, help="Try webhooks on recorded requests.")


@webhooks.callback()
def _group() -> None:
    """Keep `test` a subcommand."""


@webhooks.command("test")
def play(
    files: Annotated[list[str], typer.Argument(help="Files of recorded requests, such as webhooks/paid.http")],
    secret: Annotated[
        list[str] | None,
        typer.Option("--secret", help="Check signatures with this secret; repeatable", show_default="the webhook's"),
    ] = None,
    json: JsonOption = False,
    project: ProjectOption = Path(),
) -> None:
    """Show which events webhooks make of recorded requests, and why none. Nothing is stored, and no flow runs.

    A recorded request is a text file: the line of the request, its headers, an empty line, its body.

        POST /webhook/collect/shop HTTP/1.1
        Content-Type: application/json

        {"id": 4711, "state": "paid"}

    A line `###` separates two requests. To record one, let the sender call a tool that shows requests as they come, or
    copy one from its log of deliveries.

    `headrace test` plays the same files in test cases: `webhook: paid.http`. See docs/webhooks.md.

    Exit code 1: a request or an event would be refused. 2: a file cannot be read.
    """
    from cli.webhook import play_requests

    raise typer.Exit(play_requests(files, project, secret or (), json, output_console(), Console(stderr=True)))
