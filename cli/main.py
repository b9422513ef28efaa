"""The `headrace` command: one thin function a subcommand. Exit codes: 0 well, 1 findings, 2 wrong usage, 3 a bug."""

import os
import re
import sys
import traceback
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

STORES = "sqlite:PATH, elasticsearch:http://HOST:9200 or memory:"
WIDTH = 120  # columns of what is not written to a terminal

app = typer.Typer(
    name="headrace",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Project = Annotated[Path, typer.Argument(help="The project's directory", show_default="the current directory")]
ProjectOption = Annotated[
    Path, typer.Option("--project", help="The project's directory", show_default="the current one")
]
StoreOption = Annotated[
    str | None, typer.Option("--store", help=STORES, envvar="HEADRACE_STORE", show_default="sqlite:headrace.db")
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="Ask a running server, e.g. http://127.0.0.1:8686, in place of the store"),
]


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"headrace {installed('headrace')}")
        raise typer.Exit


@app.callback()
def headrace(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version")
    ] = False,
) -> None:
    """Carry customer events through flows written in YAML. Start with `headrace init shop && headrace serve shop`."""


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="The project's directory; it must be empty or not exist yet")],
    empty: Annotated[
        bool, typer.Option("--empty", help="Copy a project with one source, one flow and one test, to build your own")
    ] = False,
) -> None:
    """Create a project: a web shop with flows, tests, segments, sources and sample events; or an almost empty one.

    For example `headrace init shop` to read and try what Headrace can do,
    and `headrace init --empty club` to write flows of your own, as docs/tutorial.md does.

    Then run `headrace check`, `headrace test` and `headrace serve` with the same directory.
    """
    from cli.init import init as begin

    raise typer.Exit(begin(directory, Console(), empty))


@app.command()
def serve(
    project: Project = Path(),
    host: Annotated[str, typer.Option(help="The address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 for any free one")] = 8686,
    store: Annotated[
        str | None,
        typer.Option(help=STORES, envvar="HEADRACE_STORE", show_default="sqlite:headrace.db"),
    ] = None,
    open_sources: Annotated[
        bool,
        typer.Option("--open-sources", help="Serve sources that trust everybody also beyond loopback"),
    ] = False,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that serve, on a store they can share")] = 1,
    spool: Annotated[
        Path | None,
        typer.Option(help="Keep payloads in this folder while the store is away", show_default="as headrace.yaml says"),
    ] = None,
) -> None:
    """Take events at /track and /collect and run the project's flows on them. Ctrl-C stops cleanly."""
    from cli.serve import Listener
    from cli.serve import serve as begin

    raise typer.Exit(begin(project, Listener(host, port, store, open_sources, workers, spool), Console(stderr=True)))


@app.command()
def migrate(
    project: Project = Path(),
    store: Annotated[
        str | None, typer.Option(help=STORES, envvar="HEADRACE_STORE", show_default="sqlite:headrace.db")
    ] = None,
) -> None:
    """Create or upgrade what the store rests on: a file, or index templates and indices. Safe to run again.

    `headrace serve` does so by itself when it begins; this does it before.
    What is stored stays. A SQLite file must not be served meanwhile.
    """
    from cli.migrate import migrate as begin

    raise typer.Exit(begin(project, store, Console(), Console(stderr=True)))


@app.command()
def retention(
    project: Project = Path(),
    store: Annotated[
        str | None, typer.Option(help=STORES, envvar="HEADRACE_STORE", show_default="sqlite:headrace.db")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be dropped, and drop nothing")] = False,
) -> None:
    """Drop events, runs and rejected events that are older than `retention:` in headrace.yaml says.

    For example `retention: {events: 400d, runs: 30d, rejected: 90d}`.
    What is not named there is kept for ever, and so are profiles and sessions.

    A running server does so by itself, once a day.
    Elasticsearch drops by the month, when all of a month is older.
    A SQLite file is left to its server, if there is one; --dry-run may look.
    """
    from cli.retention import retention as begin

    raise typer.Exit(begin(project, store, dry_run, Console(), Console(stderr=True)))


@app.command()
def search(
    kind: Annotated[str, typer.Argument(help="events, profiles, sessions, runs or rejected")],
    query: Annotated[
        list[str] | None,
        typer.Argument(help="What to look for, e.g. 'type:order-* received:>now-1d'", show_default="all documents"),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many documents to show at most; 0 for all")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print whole documents, one a line")] = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
) -> None:
    """Look for events, profiles, sessions, runs or rejected events: the newest first.

    The query is in Lucene's syntax, see docs/search.md. Put it in quotes for your shell.
    A store is only read, so its server may run meanwhile; --url asks a running server, which finds the same.
    """
    from cli.profile import Where
    from cli.search import Task
    from cli.search import search as begin

    task = Task(kind, " ".join(query or ()), Where(project, store, url), limit, json)
    raise typer.Exit(begin(task, Console(width=None if sys.stdout.isatty() else WIDTH), Console(stderr=True)))


profiles = typer.Typer(no_args_is_help=True, help="Show or export a profile, and undo what has joined it with another.")
app.add_typer(profiles, name="profile")

ProfileId = Annotated[str, typer.Argument(help="Any id of the profile")]


@profiles.command("show")
def profile_show(
    id: ProfileId,
    why: Annotated[bool, typer.Option("--why", help="Also show its parts, and the links that joined them")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the whole document")] = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
) -> None:
    """Show a profile by any of its ids; with --why, what made it one.

    A store is only read, so its server may run meanwhile.
    """
    from cli.profile import Where, show

    width = None if sys.stdout.isatty() else WIDTH
    raise typer.Exit(show(id, Where(project, store, url), why, json, Console(width=width), Console(stderr=True)))


@profiles.command("unmerge")
def profile_unmerge(
    id: ProfileId,
    link: Annotated[str, typer.Argument(help="The link's id or its beginning, as `show --why` prints it")],
    json: Annotated[bool, typer.Option("--json", help="Print the result as a document")] = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
) -> None:
    """Undo a link: each side has again what came in under its ids.

    The two are not joined again by the same cause; by another one they may be.
    A SQLite file has one writer: while a server runs on it, say --url, and the server does it.
    With a HEADRACE_ADMIN_KEY in the environment, the server is shown it.
    On Elasticsearch it is done on the store, servers or not.
    """
    from cli.profile import Where, unmerge

    width = None if sys.stdout.isatty() else WIDTH
    raise typer.Exit(unmerge(id, link, Where(project, store, url), json, Console(width=width), Console(stderr=True)))


@profiles.command("export")
def profile_export(
    id: ProfileId,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write", show_default="profile-ID.zip")
    ] = None,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
) -> None:
    """Write all that is stored of a profile into one ZIP file: for whom it is about.

    Its profile with what joined it, sessions, events, runs and rejected events, whichever of its ids they came under.
    A store is only read, so its server may run meanwhile.
    """
    from cli.export import export
    from cli.profile import Where

    to = output or Path(f"profile-{re.sub('[^A-Za-z0-9_-]', '_', id)[:64]}.zip")
    raise typer.Exit(export(id, to, Where(project, store, url), Console(), Console(stderr=True)))


@app.command()
def forget(
    id: Annotated[str | None, typer.Argument(help="Any id of the profile", show_default=False)] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether it is meant")] = False,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="Show what has been forgotten, and go on with what is not complete")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was done as a document")] = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
) -> None:
    """Erase all that is stored of a profile: for good, and also from the store's files.

    From its beginning, nothing that comes under the profile's ids or sessions is taken; senders are answered 410.
    It waits until nothing is found any more. A SQLite file that is served is for its server: say --url.
    """
    from cli.forget import forget as begin
    from cli.forget import go_on
    from cli.profile import Where

    if (id is None) != unfinished:
        raise typer.BadParameter("name a profile, or say --unfinished")
    where, width = Where(project, store, url), None if sys.stdout.isatty() else WIDTH
    consoles = Console(width=width), Console(stderr=True)
    raise typer.Exit(go_on(where, json, *consoles) if id is None else begin(id, where, yes, json, *consoles))


segments = typer.Typer(no_args_is_help=True, help="Say why a profile belongs to a segment.")
app.add_typer(segments, name="segment")


@segments.command("explain")
def segment_explain(
    id: ProfileId,
    segment: Annotated[str, typer.Argument(help="The segment's name")],
    json: Annotated[bool, typer.Option("--json", help="Print it as a document")] = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
) -> None:
    """Show a segment's condition with its values for a profile, since when it belongs, and when that may change.

    A store is only read, so its server may run meanwhile.
    """
    from cli.profile import Where
    from cli.segment import explain

    width = None if sys.stdout.isatty() else WIDTH
    where = Where(project, store, url)
    raise typer.Exit(explain(id, segment, where, json, Console(width=width), Console(stderr=True)))


@app.command()
def check(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="The project, or files of it", show_default="the current directory")
    ] = None,
) -> None:
    """Say what is wrong with a project: file, line, column and the remedy. Exit code 1 when there are errors."""
    from cli.check import check as look

    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    raise typer.Exit(look(paths or [Path()], colour, sys.stdout))


@app.command("test")
def play(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="The project, or files of it", show_default="the current directory")
    ] = None,
    text: Annotated[str, typer.Option("-k", metavar="TEXT", help="Only cases with this in their name")] = "",
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write what came of them as JUnit XML", show_default=False)
    ] = None,
) -> None:
    """Play the cases of `*.test.yaml` through the whole project, in memory and without a network.

    Where one comes out otherwise than expected, the place, what was, and why is shown. See docs/testing.md.

    Exit code 0: all cases passed. 1: a case failed.
    2: no case failed, and not all that was named could be played.
    """
    from cli.test import play as begin

    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    raise typer.Exit(begin(paths or [Path()], text, console, sys.stdout, junit))


@app.command()
def token(
    source: Annotated[str, typer.Argument(help="The source whose payloads will carry it")],
    keys: Annotated[list[str], typer.Option("--set", metavar="PATH=VALUE", help="A key that it proves; repeatable")],
    ttl: Annotated[str, typer.Option(help="How long it is valid, at most 24h")] = "10m",
    session: Annotated[str | None, typer.Option(help="The one session that it is good for", show_default="any")] = None,
    project: Annotated[
        Path, typer.Option("--project", help="The project's directory", show_default="the current directory")
    ] = Path(),
) -> None:
    """Make a user token: what a back end signs to say who a visitor is.

    For example `headrace token web-shop --set pii.email=ann@example.com`.
    """
    from cli.token import Asked
    from cli.token import token as make

    raise typer.Exit(make(project, Asked(source, tuple(keys), ttl, session), sys.stdout, sys.stderr))


@app.command()
def nodes(
    name: Annotated[str | None, typer.Argument(help="A node type, e.g. profile.merge", show_default="all")] = None,
) -> None:
    """List the node types, or show one with its fields, ports and an example."""
    from cli.nodes import show

    raise typer.Exit(show(name, Console()))


@app.command()
def demo(
    systems: Annotated[
        bool, typer.Option("--systems", help="Only run the starter's CRM and catalogue, for a project you serve")
    ] = False,
) -> None:
    """Serve the starter for a moment, send it real events, show their traces and what is stored. Nothing is left."""
    from cli.demo import demo as shop

    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    raise typer.Exit(shop.systems(console) if systems else shop.demo(console))


def main() -> None:
    """Run the command. What nobody caught is a bug: it is shown, and the exit code is 3."""
    try:
        app()
    except Exception:  # noqa: BLE001  # the outermost edge
        traceback.print_exc()
        sys.exit(3)


if __name__ == "__main__":
    main()
