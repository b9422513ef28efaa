"""`headrace task`: shows tasks and flows with a schedule, and fires, pauses and resumes them."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.tasks import serialize_details, serialize_record, serialize_task
from cli.call import call
from cli.console import print_lines
from cli.document import Document, write_document
from cli.location import LEAVE_TO_SERVER, DataLocation, project_and_store
from cli.scripting import opened_scripting
from cli.store import CommandError, exclusive_access, opened_store, report_error, report_not_found
from effects.clock import SystemClock
from effects.due_times import SystemDueTimes
from effects.http import HttpPerformer
from effects.ids import new_id
from engine.ports.script import Scripting
from engine.ports.task import FiringRecord
from engine.tracking.pipeline.foreign_processing import ForeignProcessing
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.tracker import Tracker
from engine.tracking.schedules.scheduled import scheduled_in
from engine.tracking.schedules.scheduler import Busy, NoTask, Scheduler
from engine.tracking.schedules.script_firing import TaskScripts

Work = Callable[[Scheduler], Awaitable[Any]]


class AllSlots:
    """Slots of a process that does nothing else."""

    def take_slots(self, wanted: int) -> int:
        """Give all that are wanted."""
        return wanted

    def return_slots(self, count: int) -> None:
        """Take slots back."""


class TaskCommand:
    """One command: where the data is, and how its result is printed."""

    def __init__(self, location: DataLocation, json: bool, console: Console, error: Console) -> None:
        self._location = location
        self._json = json
        self._console, self._error = console, error

    def list_all(self) -> int:
        """Print the tasks and the flows with a schedule."""
        return self._run("GET", "/tasks", _listed, self._print_list, changes=False)

    def show(self, name: str, print: Callable[[Document], Iterator[Text]]) -> int:
        """Print a part of one task. Exit code 1 when there is no such task."""
        work = _details(name, lambda scheduler: scheduler.task(name))
        return self._run("GET", f"/tasks/{_quoted(name)}", work, self._lines(print), changes=False)

    def run(self, name: str) -> int:
        """Fire a task now. Exit code 1 when there is no such task, or it is being fired, or it fails."""
        failed = False

        def note(document: Document) -> None:
            nonlocal failed
            failed = document["firing"] is not None and document["firing"]["outcome"] == "failed"
            self._lines(firing_lines)(document)

        code = self._run("POST", f"/tasks/{_quoted(name)}/run", _run_now(name), note, changes=True)
        return 1 if failed else code

    def pause(self, name: str) -> int:
        """Pause a task. Exit code 1 when there is no such task."""
        work = _details(name, lambda scheduler: scheduler.pause(name))
        return self._run("POST", f"/tasks/{_quoted(name)}/pause", work, self._lines(summary), changes=True)

    def resume(self, name: str) -> int:
        """Resume a task. Exit code 1 when there is no such task."""
        work = _details(name, lambda scheduler: scheduler.resume(name))
        return self._run("POST", f"/tasks/{_quoted(name)}/resume", work, self._lines(summary), changes=True)

    # ---- parts ------------------------------------------------------------------------------------------------------

    def _run(self, method: str, path: str, work: Work, show: Callable[[Any], None], *, changes: bool) -> int:
        try:
            if (server := self._location.server()) is not None:
                result = call(server, method, path, {} if method == "POST" else None)
            else:
                result = self._in_store(work, changes)
        except NoTask as unknown:
            reason = f"no task and no flow with a schedule has the name {unknown}"
            return report_not_found(self._error, Exception(reason))
        except Busy as busy:
            return report_error(self._error, f"`{busy}` is being fired: wait for its end.")
        except CommandError as failure:
            return report_error(self._error, str(failure))
        if self._json:
            write_document(result)
        show(result)
        return 0

    def _in_store(self, work: Work, changes: bool) -> Any:
        project, url = project_and_store(self._location, self._error)

        async def done() -> Any:
            async with opened_store(url, self._location.root) as store, opened_scripting(project) as scripting:
                clock = SystemClock()
                performer = HttpPerformer(project.targets, clock)
                try:
                    pipeline = Pipeline(project, store, performer, clock, new_id)
                    if changes:
                        await pipeline.start()
                    return await work(
                        Scheduler(pipeline, SystemDueTimes(), new_id(), scheduled_in(_scripts(pipeline, scripting)))
                    )
                finally:
                    await performer.close()

        if not changes:
            return asyncio.run(done())
        with exclusive_access(url, self._location.root, LEAVE_TO_SERVER):
            return asyncio.run(done())

    def _lines(self, make: Callable[[Document], Iterator[Text]]) -> Callable[[Document], None]:
        """Return what prints the lines that `make` makes of a document, unless the document itself is printed."""
        return lambda document: None if self._json else print_lines(self._console, make(document))

    def _print_list(self, tasks: list[Document]) -> None:
        if self._json:
            return
        if not tasks:
            self._console.print("There are no tasks, and no flow has a schedule.")
            return
        table = Table(box=None, pad_edge=False)
        for column in ("task", "schedule", "state", "next", "last", "outcome"):
            table.add_column(column)
        for task in tasks:
            cells = (task["task"], task["schedule"], task["state"], _time(task["next"]), _time(task["last"]))
            table.add_row(*[Text(cell) for cell in (*cells, task["outcome"] or "")])
        self._console.print(table)


def summary(task: Document) -> Iterator[Text]:
    """Yield the lines that say how a task stands."""
    yield Text.assemble((task["task"], "bold"), f"  {task['schedule']}")
    yield Text(f"  {task['state']}; next {_time(task['next']) or 'never'}; last {_time(task['last']) or 'never'}")


def state_lines(task: Document) -> Iterator[Text]:
    """Yield the values that a task keeps from one firing to the next."""
    yield from summary(task)
    if not task["values"]:
        yield Text("  It keeps no values.")
    for key, value in task["values"].items():
        yield Text.assemble("  ", (key, "bold"), f" = {json.dumps(value, ensure_ascii=False)}")


def log_lines(task: Document) -> Iterator[Text]:
    """Yield the last firings of a task, newest first."""
    yield from summary(task)
    if not task["log"]:
        yield Text("  It was not fired yet.")
    for record in task["log"]:
        yield from _record_lines(record)


def details(task: Document) -> Iterator[Text]:
    """Yield how a task stands, the values that it keeps, and its last firing."""
    yield from state_lines(task)
    if task["log"]:
        yield Text("  Its last firing:")
        yield from _record_lines(task["log"][0])


def firing_lines(document: Document) -> Iterator[Text]:
    """Yield the result of a firing that was asked for."""
    if document["running"]:
        yield Text(f"{document['task']} is being fired; `headrace task log {document['task']}` shows its end.")
    elif document["firing"] is None:
        yield Text(f"{document['task']} was fired by another process, or paused.")
    else:
        yield from _record_lines(document["firing"])


def _record_lines(record: Document) -> Iterator[Text]:
    """Yield the line of a firing, and those that its script has logged."""
    yield _record_line(record)
    for line in record.get("log", ()):
        yield Text(f"    {line}", style="dim")


def _record_line(record: Document) -> Text:
    missed = f", stands for {record['missed']} missed" if record["missed"] else ""
    reason = f": {record['reason']}" if record["reason"] else ""
    events = f", {record['events']} events" if record.get("events") else ""
    events += f", {record['rejected']} rejected" if record.get("rejected") else ""
    run = f"  run {record['run']}" if record["run"] else ""
    return Text(f"  {_time(record['due'])}  {record['outcome']}{reason}  ({record['took_ms']} ms{events}{missed}){run}")


async def _listed(scheduler: Scheduler) -> list[Document]:
    return [serialize_task(one, scheduler.timezone, task) for one, task in await scheduler.tasks()]


def _details(name: str, work: Work) -> Work:
    async def done(scheduler: Scheduler) -> Document:
        return serialize_details(await work(scheduler))

    return done


def _run_now(name: str) -> Work:
    async def done(scheduler: Scheduler) -> Document:
        record: FiringRecord | None = await (await scheduler.run_now(name))
        return {"task": name, "running": False, "firing": None if record is None else serialize_record(record)}

    return done


def _scripts(pipeline: Pipeline, scripting: Scripting) -> TaskScripts:
    return TaskScripts(scripting, ForeignProcessing(Tracker(pipeline), AllSlots()))


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _time(written: str | None) -> str:
    """A time as `headrace deliveries` and `headrace waits` print it, in UTC to the second; empty when there is none."""
    return f"{datetime.fromisoformat(written):%Y-%m-%d %H:%M:%S}" if written else ""
