"""The options and arguments that several commands have, and the console that they print to."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.console import Console

STORES = "sqlite:PATH, elasticsearch:http://HOST:9200 or memory:"
WIDTH = 120  # columns of output that does not go to a terminal

Project = Annotated[Path, typer.Argument(help="The project's directory", show_default="the current directory")]
ProjectOption = Annotated[
    Path, typer.Option("--project", help="The project's directory", show_default="the current directory")
]
ProjectPaths = Annotated[
    list[Path] | None, typer.Argument(help="The project, or files of it", show_default="the current directory")
]
StoreOption = Annotated[
    str | None,
    typer.Option("--store", help=f"The store: {STORES}", envvar="HEADRACE_STORE", show_default="sqlite:headrace.db"),
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="Ask a running server, e.g. http://127.0.0.1:8686, instead of reading the store"),
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key",
        help="The admin key of the server that --url names",
        envvar="HEADRACE_ADMIN_KEY",
        show_default="of the project, if the server is on this machine",
    ),
]
ProfileId = Annotated[str, typer.Argument(help="Any id of the profile")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print a JSON document")]


def output_console() -> Console:
    """The console of standard output; of a fixed width when that is a pipe or a file."""
    return Console(width=None if sys.stdout.isatty() else WIDTH)
