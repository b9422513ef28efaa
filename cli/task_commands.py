"""The commands of `headrace task`, one function each."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import Console
from cli.options import JsonOption, KeyOption, ProjectOption, StoreOption, UrlOption, output_console

if TYPE_CHECKING:
    from cli.task import TaskCommand

tasks = typer.Typer(no_args_is_help=True, help="Show tasks and flows with a schedule, and fire, pause and resume them.")

TaskName = Annotated[str, typer.Argument(help="The name of the task or the flow")]


def _command(json: bool, project: Path, store: str | None, url: str | None, key: str | None) -> "TaskCommand":
    from cli.location import DataLocation
    from cli.task import TaskCommand

    return TaskCommand(DataLocation(project, store, url, key), json, output_console(), Console(stderr=True))


@tasks.command("list")
def task_list(
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List tasks and flows with a schedule: when each was fired last, with which outcome, and when it is due next."""
    raise typer.Exit(_command(json, project, store, url, key).list_all())


@tasks.command("run")
def task_run(
    name: TaskName,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Fire a task or a flow with a schedule now; its next due time stays the same.

    A SQLite file has one writer: while a server runs on it, say --url, and the server fires it.
    Events that the flow emits, and its deliveries, are sent by a server. Exit code 1 when the run fails.
    """
    raise typer.Exit(_command(json, project, store, url, key).run(name))


@tasks.command("state")
def task_state(
    name: TaskName,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show the values that a task or a flow with a schedule keeps from one firing to the next."""
    from cli.task import state_lines

    raise typer.Exit(_command(json, project, store, url, key).show(name, state_lines))


@tasks.command("show")
def task_show(
    name: TaskName,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show how a task or a flow with a schedule stands, the values that it keeps, and its last firing."""
    from cli.task import details

    raise typer.Exit(_command(json, project, store, url, key).show(name, details))


@tasks.command("log")
def task_log(
    name: TaskName,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show the last 20 firings, newest first; those of a task with the last lines that its script has logged."""
    from cli.task import log_lines

    raise typer.Exit(_command(json, project, store, url, key).show(name, log_lines))


@tasks.command("pause")
def task_pause(
    name: TaskName,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Pause a task or a flow with a schedule.

    A firing for a segment stops after at most 100 profiles, and goes on from there when it is resumed.
    """
    raise typer.Exit(_command(json, project, store, url, key).pause(name))


@tasks.command("resume")
def task_resume(
    name: TaskName,
    json: JsonOption = False,
    project: ProjectOption = Path(),
    store: StoreOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Resume a paused task or flow: with the firing that was stopped, else with the first due time after now."""
    raise typer.Exit(_command(json, project, store, url, key).resume(name))


@tasks.command("test")
def task_test(
    name: TaskName,
    config: Annotated[
        str, typer.Option("--config", help="What earlier runs have kept, as a JSON object", show_default="nothing")
    ] = "{}",
    json: JsonOption = False,
    project: ProjectOption = Path(),
) -> None:
    """Run the script of a task in memory: show what it logs, what it keeps in config, and the events that it stores.

    Its requests are sent. Nothing is stored, neither its events nor what it keeps. Exit code 1 when it fails.
    """
    from cli.task_test import TaskTest

    raise typer.Exit(TaskTest(project, json, output_console(), Console(stderr=True)).run(name, config))
