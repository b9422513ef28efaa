"""`headrace task test`: runs the script of a task in memory, and shows its log, what it keeps and its events."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from cli.console import print_lines
from cli.document import Document, write_document
from cli.scripting import opened_scripting
from cli.store import load_and_report, report_error, report_not_found
from engine.ports.script import ScriptFailed, Scripting, ScriptLine
from engine.project.project import Project
from engine.project.script_task import MAIN, ScriptTask
from engine.tracking.foreign.translation import ForeignEvent
from engine.tracking.intake.payload import RejectedEvent, whole
from engine.tracking.schedules.script_events import event_steps
from engine.tracking.schedules.script_firing import lines_of
from engine.tracking.schedules.script_world import TaskWorld


class TaskTest:
    """One run of a task's script. Its requests are sent; nothing is stored."""

    def __init__(self, root: Path, json: bool, console: Console, error: Console) -> None:
        self._root, self._json = root, json
        self._console, self._error = console, error

    def run(self, name: str, config: str) -> int:
        """Run the script of a task, with `config` (a JSON object) as what earlier runs have kept.

        Exit code 1 when there is no such task, or its script fails.
        """
        project = load_and_report(self._root, self._error, whole=False).project
        task = project.tasks.get(name)
        if task is None:
            return report_not_found(self._error, Exception(f"no task has the name {name}"))
        try:
            kept = msgspec.json.decode(config, type=dict[str, Any])
        except msgspec.DecodeError as error:
            return report_error(self._error, f"`--config` is a JSON object: {error}")
        document = asyncio.run(_tested(project, task, kept))
        if self._json:
            write_document(document)
        else:
            print_lines(self._console, test_lines(document))
        return 1 if document["failed"] else 0


async def _tested(project: Project, task: ScriptTask, kept: dict[str, Any]) -> Document:
    async with opened_scripting(project) as scripting:
        return await tested(task, scripting, kept)


async def tested(task: ScriptTask, scripting: Scripting, kept: dict[str, Any]) -> Document:
    """Run the script of a task in memory. Returns its log, what it keeps, and its events, as a document."""
    script, world = task.script, TaskWorld(scripting.way_out(task.script), kept)
    failed, log = "", tuple[ScriptLine, ...]()
    try:
        arguments = [script.plain_params()]
        result = await scripting.runner.run(script, MAIN, arguments, world, task.schedule.deadline_ms)
        log = result.log
    except ScriptFailed as failure:
        failed, log = script.without_secrets(failure.reason), failure.log
    return {
        "task": task.name,
        "failed": failed or None,
        "log": list(lines_of(script, log)),
        "config": msgspec.to_builtins(world.values),
        "events": [_shown(event) for event in whole(event_steps(world.events)).events],
    }


def test_lines(document: Document) -> Iterator[Text]:
    """Yield the lines that show a run."""
    outcome = f"failed: {document['failed']}" if document["failed"] else "finished"
    yield Text.assemble((document["task"], "bold"), f"  {outcome}; nothing is stored")
    for line in document["log"]:
        yield Text(f"  {line}", style="dim")
    for key, value in document["config"].items():
        yield Text.assemble("  config ", (key, "bold"), f" = {json.dumps(value, ensure_ascii=False)}")
    for event in document["events"]:
        more = {name: value for name, value in event.items() if name != "type"}
        yield Text.assemble("  ", (event.get("type", "rejected"), "bold"), f"  {json.dumps(more, ensure_ascii=False)}")


def _shown(event: ForeignEvent | RejectedEvent) -> dict[str, Any]:
    """Return an event of the script as it would be stored, or why it would be rejected."""
    if isinstance(event, RejectedEvent):
        return {"rejected": event.reason, "at": event.at}
    named = {name: getattr(event, name) for name in ("id", "time", "user", "visitor", "session")}
    given = {name: value for name, value in named.items() if value is not None}
    return {"type": event.type, **given, "properties": msgspec.to_builtins(event.properties)}
