"""The `headrace` command, one function per subcommand. Exit codes: 0 success, 1 findings, 2 wrong usage, 3 a bug."""

import atexit
import gc
import os
import sys
import traceback
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Annotated

import typer

from cli.account_commands import accesses, users
from cli.console import Console
from cli.delivery_commands import deliveries
from cli.node_commands import node_types
from cli.options import (
    JsonOption,
    KeyOption,
    ProfileId,
    Project,
    ProjectOption,
    ProjectPaths,
    StoreOption,
    UrlOption,
    output_console,
)
from cli.profile_commands import profiles
from cli.run_commands import graph, replay, runs, send
from cli.schema_commands import schemas
from cli.tap_command import tap
from cli.task_commands import tasks
from cli.waits_commands import waits
from cli.webhook_commands import webhooks
from engine.ports.kinds import SEARCHABLE

app = typer.Typer(
    name="headrace",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(profiles, name="profile")
app.add_typer(tasks, name="task")
app.add_typer(schemas, name="schema")
app.add_typer(node_types, name="nodes")
app.add_typer(deliveries, name="deliveries")
app.add_typer(waits, name="waits")
app.add_typer(webhooks, name="webhook")
app.command()(tap)
app.add_typer(users, name="user")
app.add_typer(accesses, name="access")
app.add_typer(runs, name="runs")
app.command("replay")(replay)
app.command("graph")(graph)
app.command("send")(send)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(f"headrace {package_version('headrace')}")
        raise typer.Exit


@app.callback()
def headrace(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version")
    ] = False,
) -> None:
    """Run flows written in YAML on customer events. Start with `headrace init shop && headrace serve shop`."""


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="The project's directory; it must be empty or not exist yet")],
    empty: Annotated[
        bool, typer.Option("--empty", help="Copy a project with one source, one flow and one test, to build your own")
    ] = False,
    vendors: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="NAMES",
            help="Add webhooks of these systems, separated by commas: github, mailgun, shopify, slack, stripe, twilio",
        ),
    ] = None,
) -> None:
    """Create a project: a web shop with flows, tests, segments, sources and sample events; or an almost empty one.

    For example `headrace init shop` to read and try what Headrace can do,
    and `headrace init --empty club` to write flows of your own, as docs/tutorial.md does.
    `headrace init --empty club --with stripe,slack` adds webhooks, also to a project that is there already.

    Then run `headrace check`, `headrace test` and `headrace serve` with the same directory.
    """
    from cli.init import init as create_project

    raise typer.Exit(create_project(directory, Console(), empty, vendors or ()))


@app.command()
def serve(
    project: Project = Path(),
    host: Annotated[str, typer.Option(help="The address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 for any free one")] = 8686,
    store: StoreOption = None,
    open_sources: Annotated[
        bool,
        typer.Option("--open-sources", help="Serve sources with `identify: trust` also beyond this machine"),
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="The number of processes; more than one needs a store they can share")
    ] = 1,
    spool: Annotated[
        Path | None,
        typer.Option(
            help="Keep payloads in this folder while the store does not answer", show_default="as headrace.yaml says"
        ),
    ] = None,
) -> None:
    """Start the HTTP server: receive events at /track and /collect and run the project's flows on them.

    It reads the project's files once: restart it after a change.
    At its first start it makes the admin key for reading and erasing, in the project's .headrace/admin-key;
    a HEADRACE_ADMIN_KEY in the environment takes its place.
    Ctrl-C or SIGTERM stops it, when the requests in progress have been answered.
    """
    from cli.serve import ServeOptions
    from cli.serve import serve as run_server

    options = ServeOptions(host, port, store, open_sources, workers, spool)
    raise typer.Exit(run_server(project, options, Console(stderr=True)))


@app.command()
def migrate(
    project: Project = Path(),
    store: StoreOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would change, and change nothing")] = False,
) -> None:
    """Create or upgrade the store's schema: a SQLite file, or index templates and indices. Safe to repeat.

    `headrace serve` does this when it starts; this command does it earlier.
    Stored data is kept. A SQLite file must not be served meanwhile; --dry-run may read it.
    """
    from cli.migrate import migrate as migrate_store

    raise typer.Exit(migrate_store(project, store, dry_run, Console(), Console(stderr=True)))


@app.command()
def retention(
    project: Project = Path(),
    store: StoreOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would be dropped, and drop nothing")] = False,
) -> None:
    """Delete events, runs and rejected events that are older than `retention:` in headrace.yaml allows.

    For example `retention: {events: 400d, runs: 30d, rejected: 90d}`.
    Kinds without an age there are kept for ever, and so are profiles and sessions.

    A running server does this by itself, once a day.
    Elasticsearch drops a month when all of it is too old.
    A SQLite file that is being served is left to its server; --dry-run may read it.
    """
    from cli.retention import retention as drop_expired

    raise typer.Exit(drop_expired(project, store, dry_run, Console(), Console(stderr=True)))


@app.command()
def search(
    kind: Annotated[str, typer.Argument(help=", ".join(SEARCHABLE))],
    query: Annotated[
        list[str] | None,
        typer.Argument(help="The query, e.g. 'type:order-* received:>now-1d'", show_default="all documents"),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many documents to print at most; 0 for all")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print whole documents as JSON, one per line")] = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Find documents of one kind; the newest come first.

    The query is in Lucene's syntax, see docs/search.md. Put it in quotes for your shell.
    The store is only read, so its server may run meanwhile; with --url, a running server searches.
    """
    from cli.location import DataLocation
    from cli.search import SearchRequest
    from cli.search import search as run_search

    request = SearchRequest(kind, " ".join(query or ()), DataLocation(project, store, url, key), limit, json)
    raise typer.Exit(run_search(request, output_console(), Console(stderr=True)))


@app.command("import")
def import_command(
    files: Annotated[list[str], typer.Argument(help="CSV, JSON, NDJSON or Avro, also gzip; - for standard input")],
    source: Annotated[
        str | None, typer.Option(help="The source of the events; it must accept imports", show_default="the mapping's")
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(help="How rows become events: a name in imports/, or a file", show_default="rows are events"),
    ] = None,
    shipped: Annotated[str | None, typer.Option("--from", help="Read an export of mixpanel or amplitude")] = None,
    format: Annotated[
        str | None, typer.Option(help="csv, json, ndjson or avro", show_default="by the name or the first bytes")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="What separates the cells of CSV", show_default="the first line shows it")
    ] = None,
    flows: Annotated[bool, typer.Option("--flows", help="Run flows on the events, as if they happened now")] = False,
    again: Annotated[bool, typer.Option("--again", help="Import a file that has been imported before")] = False,
    rate: Annotated[float | None, typer.Option(min=0.1, help="The most rows a second", show_default="no limit")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the first events and the bad rows, and store nothing")
    ] = False,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Import the rows of files as events, e.g. `headrace import orders.csv --source shop --mapping orders`.

    A row without a mapping has the members of an event: type, id, time, user, visitor, session; the others are its
    properties. Try it with --dry-run. See docs/imports.md.

    Imported events are facts about the past: they are stored, and join profiles by their users and visitors, but no
    flow runs on them, unless you say --flows. For a flow would write old values over newer ones.

    An import that was stopped or killed goes on when the same command is repeated. A file is imported once; rows that
    cannot be read or mapped are in `headrace search rejected`, with their lines.

    A SQLite file that is being served is left to its server: say --url.
    Exit code 0: all rows are in. 1: rows were refused, or a file cannot be read to its end. 2: nothing was done.
    """
    from typing import get_args

    from cli.importing import ImportRequest, import_files
    from cli.location import DataLocation
    from engine.project.row_format import Format, RowFormat

    if format is not None and format not in get_args(Format):
        raise typer.BadParameter("one of csv, json, ndjson and avro", param_hint="--format")
    if delimiter is not None and len(delimiter) != 1:
        raise typer.BadParameter("one character", param_hint="--delimiter")
    if mapping is not None and shipped is not None:
        raise typer.BadParameter("say --mapping or --from")
    request = ImportRequest(
        files=tuple(files),
        location=DataLocation(project, store, url, key),
        source=source,
        mapping=mapping,
        shipped=shipped,
        format=RowFormat(type=format, delimiter=delimiter),  # type: ignore[arg-type]  # one of its values
        flows=flows,
        again=again,
        rate=rate,
        dry_run=dry_run,
        json=json,
    )
    raise typer.Exit(import_files(request, output_console(), Console(stderr=True)))


@app.command()
def forget(
    id: Annotated[str | None, typer.Argument(help="Any id of the profile", show_default=False)] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation")] = False,
    claims: Annotated[
        bool, typer.Option("--claims", help="Also erase the profiles that claim keys which this one has proven")
    ] = False,
    unfinished: Annotated[
        bool, typer.Option("--unfinished", help="List all erasures, and complete those that were interrupted")
    ] = False,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Erase all that is stored of a profile: for good, and also from the store's files (right to be forgotten).

    From the start on, payloads under the profile's ids or sessions are refused with 410.
    The command names the profiles that only claim its keys, and the ids that only claims had joined with it.
    The command waits until nothing is found any more.
    A SQLite file that is being served is left to its server: say --url.
    """
    from cli.forget import finish_all
    from cli.forget import forget as erase
    from cli.location import DataLocation

    if (id is None) != unfinished:
        raise typer.BadParameter("name a profile, or say --unfinished")
    location, consoles = DataLocation(project, store, url, key), (output_console(), Console(stderr=True))
    code = finish_all(location, json, *consoles) if id is None else erase(id, location, claims, yes, json, *consoles)
    raise typer.Exit(code)


segments = typer.Typer(no_args_is_help=True, help="Explain why a profile belongs to a segment.")
app.add_typer(segments, name="segment")


@segments.command("explain")
def segment_explain(
    id: ProfileId,
    segment: Annotated[str, typer.Argument(help="The segment's name")],
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Explain why a profile is or is not a member of a segment: the condition, its values, since when, and until when.

    The store is only read, so its server may run meanwhile.
    """
    from cli.location import DataLocation
    from cli.segment import explain

    location = DataLocation(project, store, url, key)
    raise typer.Exit(explain(id, segment, location, json, output_console(), Console(stderr=True)))


@app.command()
def check(paths: ProjectPaths = None) -> None:
    """Report the errors and warnings in a project's YAML files: file, line, column and the remedy.

    Exit code 1 when there are errors.
    """
    from cli.check import check as run_check

    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    raise typer.Exit(run_check(paths or [Path()], colour, sys.stdout))


@app.command("test")
def play(
    paths: ProjectPaths = None,
    text: Annotated[str, typer.Option("-k", metavar="TEXT", help="Only cases with this text in their name")] = "",
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the results as JUnit XML", show_default=False)
    ] = None,
) -> None:
    """Run the test cases of `*.test.yaml` through the whole project, in memory and without a network.

    For a case that fails, it prints the place, the actual value, and why it came about. See docs/testing.md.

    Exit code 0: all cases passed. 1: a case failed.
    2: no case failed, and not all that was named could be played.
    """
    from cli.test import play as run_cases

    raise typer.Exit(run_cases(paths or [Path()], text, output_console(), sys.stdout, junit))


@app.command()
def token(
    source: Annotated[str, typer.Argument(help="The source whose payloads will carry it")],
    keys: Annotated[list[str], typer.Option("--set", metavar="PATH=VALUE", help="A key that it proves; repeatable")],
    ttl: Annotated[str, typer.Option(help="How long it is valid, at most 24h")] = "10m",
    session: Annotated[str | None, typer.Option(help="The one session that may use it", show_default="any")] = None,
    project: ProjectOption = Path(),
) -> None:
    """Sign a user token (a JWT), by which your back end proves who a visitor is.

    For example `headrace token web-shop --set pii.email=ann@example.com`.
    """
    from cli.token import TokenRequest
    from cli.token import token as sign_token

    raise typer.Exit(sign_token(project, TokenRequest(source, tuple(keys), ttl, session), sys.stdout, sys.stderr))


@app.command()
def openapi() -> None:
    """Print the description of the HTTP API as an OpenAPI document, from which clients can be made: see docs/api.md.

    A server answers the same at /schema/openapi.json. For example `headrace openapi > openapi.json`.
    """
    from cli.openapi import print_document

    print_document(sys.stdout)


@app.command()
def tracker(
    source: Annotated[str, typer.Argument(help="The public source to which the pages send")],
    url: Annotated[str, typer.Option(help="Where pages reach the server")] = "http://127.0.0.1:8686",
    project: ProjectOption = Path(),
) -> None:
    """Print the script element by which pages send to a source, with the hash that browsers check.

    For example `headrace tracker web-shop --url https://events.shop.example`.
    """
    from cli.tracker import tracker as print_snippet

    raise typer.Exit(print_snippet(project, source, url, sys.stdout, sys.stderr))


@app.command()
def demo(
    systems: Annotated[
        bool, typer.Option("--systems", help="Only run the systems around the starter, such as its CRM")
    ] = False,
) -> None:
    """Serve the starter for a moment, send it real events, show their traces and what is stored. Nothing is left."""
    from cli.demo import walkthrough

    raise typer.Exit(walkthrough.systems(output_console()) if systems else walkthrough.demo(output_console()))


def main() -> None:
    """Run the command. An exception that reaches this function is a bug: print it, and exit with code 3."""
    atexit.register(gc.freeze)  # spares a last collection of all objects, which takes half a second after a large check
    try:
        app()
    except Exception:  # noqa: BLE001  # the outermost edge
        traceback.print_exc()
        sys.exit(3)


if __name__ == "__main__":
    main()
