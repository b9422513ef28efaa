"""`headrace deliveries`: lists and shows deliveries, has dead ones sent again, and drops waiting ones."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Protocol, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.prompt import Confirm
from rich.table import Table
from rich.text import Text

from api.deliveries import IDS_AT_ONCE, summary_of
from api.serialize import serialize_delivery
from cli.call import RemoteServer, call
from cli.console import print_lines, without_controls
from cli.document import Document, write_document, write_line
from cli.location import LEAVE_TO_SERVER, DataLocation, project_and_store
from cli.store import CommandError, exclusive_access, opened_store, report_error
from cli.traces import short
from effects.clock import SystemClock
from engine.search.page import MAX_LIMIT
from engine.sending.changes import Keeping
from engine.sending.operations import (
    STATE_BEFORE,
    Change,
    ChangedDeliveries,
    Choice,
    DeliveryOperations,
    SkippedDelivery,
)

T = TypeVar("T")

COUNT_LIMIT = 10_000  # deliveries that are counted before a question
MAY_ARRIVE = "What is being sent right now may still arrive."
SHOWN_SKIPPED = 20


class Output(Struct, frozen=True):
    """Where a command prints: results, and everything else; `json`: results as JSON."""

    console: Console
    error: Console
    json: bool = False


class Deliveries(Protocol):
    """The deliveries of a server or of a store."""

    def page(self, choice: Choice, limit: int, after: str | None) -> tuple[list[Document], str | None]:
        """A page of summaries, newest first, and the cursor of the next one."""

    def one(self, id: str) -> Document | None:
        """A delivery with its message."""

    def change(self, what: Change, choice: Choice, after: str | None) -> ChangedDeliveries:
        """Change one page of those chosen."""


def list_deliveries(choice: Choice, limit: int, location: DataLocation, output: Output) -> int:
    """Print deliveries, the newest first; `limit` 0: all. Exit code 2 when they cannot be read."""
    table = Table("created", "state", "target", "flow", "tries", "due", "reason", box=None, header_style="bold")
    table.add_column("id", no_wrap=True)  # `show`, `retry` and `drop` take it
    table.pad_edge = False
    count, after = 0, None
    try:
        deliveries = _deliveries(location, output.error)
        while True:
            items, after = deliveries.page(choice, min(limit - count, MAX_LIMIT) if limit else MAX_LIMIT, after)
            count += len(items)
            for each in items:
                if output.json:
                    write_line(each)
                else:
                    table.add_row(*map(Text, _cells(each)))
            if after is None or count == limit:
                break
    except CommandError as failure:
        return report_error(output.error, str(failure))
    if not count:
        output.error.print("No deliveries.")
    elif not output.json:
        output.console.print(table)
    if after is not None:
        output.error.print(f"These are the newest {count}; --limit says how many to show, 0 for all.", highlight=False)
    return 0


def show(id: str, location: DataLocation, output: Output) -> int:
    """Print one delivery with its message. Exit code 1 when there is none with this id."""
    try:
        found = _deliveries(location, output.error).one(id)
    except CommandError as failure:
        return report_error(output.error, str(failure))
    if found is None:
        output.error.print(f"There is no delivery {id}.", markup=False, highlight=False)
        return 1
    if output.json:
        write_document(found)
    else:
        print_lines(output.console, list(_lines(found)))
    return 0


def change(what: Change, choice: Choice, confirmed: bool, location: DataLocation, output: Output) -> int:
    """Have dead deliveries sent again, or drop waiting ones. Exit code 1 without a `yes`, or if none was changed."""
    try:
        deliveries = _deliveries(location, output.error, writing=True)
        if not choice.ids and not confirmed and not _confirm(what, choice, deliveries, output.error):
            return 1
        done = _change_all(deliveries, what, choice)
    except CommandError as failure:
        return report_error(output.error, str(failure))
    if output.json:
        write_document(
            {"changed": list(done.changed), "skipped": msgspec.to_builtins(done.skipped), "later": done.later}
        )
    else:
        print_lines(output.console, list(_change_lines(what, done)))
    return 0 if done.changed else 1


def _change_all(deliveries: Deliveries, what: Change, choice: Choice) -> ChangedDeliveries:
    """Change all that are chosen, page by page."""
    changed: list[str] = []
    skipped: list[SkippedDelivery] = []
    later: dict[str, int] = {}
    parts = [choice] if not choice.ids else [Choice(part) for part in _parts(choice.ids)]
    for part in parts:
        after: str | None = None
        while True:
            done = deliveries.change(what, part, after)
            changed += done.changed
            skipped += done.skipped
            later |= done.later
            after = done.after
            if after is None:
                break
    return ChangedDeliveries(tuple(changed), tuple(skipped), later)


def _parts(ids: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for start in range(0, len(ids), IDS_AT_ONCE):
        yield ids[start : start + IDS_AT_ONCE]


def _confirm(what: Change, choice: Choice, deliveries: Deliveries, error: Console) -> bool:
    counted = _count(deliveries, Choice((), choice.target, choice.flow, STATE_BEFORE[what]))
    to = "".join(
        [f" to {choice.target}" if choice.target else "", f" of the flow {choice.flow}" if choice.flow else ""]
    )
    if counted == "0":
        error.print(f"No {STATE_BEFORE[what]} deliveries{to}.", markup=False, highlight=False, soft_wrap=True)
        return False
    question = f"{'Send' if what == 'retry' else 'Drop'} {counted} {STATE_BEFORE[what]} deliveries{to}"
    question += " again?" if what == "retry" else "? They are not sent."
    if not error.is_terminal:
        error.print(f"{question} Say --yes if so.", markup=False, highlight=False, soft_wrap=True)
        return False
    return Confirm.ask(question, console=error, default=False)


def _count(deliveries: Deliveries, choice: Choice) -> str:
    count, after = 0, None
    while count < COUNT_LIMIT:
        items, after = deliveries.page(choice, MAX_LIMIT, after)
        count += len(items)
        if after is None:
            return str(count)
    return f"more than {count - 1}"


# ---- rendering ------------------------------------------------------------------------------------------------------


def _cells(delivery: Document) -> list[str]:
    due = _time(delivery["due"]) if delivery["state"] == "waiting" else ""
    cells = (
        _time(delivery["at"]),
        delivery["state"] + (" (test)" if delivery["mode"] == "test" else ""),
        delivery["target"],
        delivery["flow"],
        delivery["attempts"],
        due,
        short(_reason(delivery)) if _reason(delivery) else "",
        delivery["id"],
    )
    return [without_controls(str(cell)) for cell in cells]


def _lines(delivery: Document) -> Iterator[Text]:
    for name in ("id", "state", "mode", "target", "queue", "flow", "node", "event", "run", "profile"):
        if delivery.get(name):
            yield Text(f"{name:9} {without_controls(str(delivery[name]))}")
    yield Text(f"{'created':9} {_time(delivery['at'])}")
    if delivery["state"] == "waiting":
        yield Text(f"{'due':9} {_time(delivery['due'])}")
    else:
        yield Text(f"{'ended':9} {_time(delivery['ended'])}, its record is deleted {_time(delivery['due'])}")
    rounds = f", retried {delivery['rounds']} times" if delivery.get("rounds") else ""
    yield Text(f"{'attempts':9} {delivery['attempts']}{rounds}")
    if (last := delivery.get("last")) is not None:
        status = f"{last['status']} " if last.get("status") else ""
        took = f" ({last['took_ms']} ms)" if last.get("took_ms") else ""
        yield Text(f"{'last':9} {_time(last['at'])} {status}{without_controls(_reason(delivery))}{took}")
    if delivery.get("after"):
        yield Text(f"{'behind':9} {', '.join(delivery['after'])}")
    yield Text("message")
    body = msgspec.json.format(msgspec.json.encode(delivery["message"]), indent=2).decode()
    for line in body.splitlines():
        yield Text(f"  {without_controls(line)}")


def _change_lines(what: Change, done: ChangedDeliveries) -> Iterator[Text]:
    count = len(done.changed)
    noun = "delivery" if count == 1 else "deliveries"
    yield Text(f"{count} {noun} {'sent again from now on' if what == 'retry' else 'dropped'}.")
    if what == "drop" and count:
        yield Text(MAY_ARRIVE)
    for id, later in done.later.items():
        sent = "1 later delivery of its profile has" if later == 1 else f"{later} later deliveries of its profile have"
        yield Text(f"  {id}: {sent} been sent already, so it arrives out of order")
    for each in done.skipped[:SHOWN_SKIPPED]:
        yield Text(f"  {without_controls(each.id)} was skipped: {each.reason}")
    if len(done.skipped) > SHOWN_SKIPPED:
        yield Text(f"  and {len(done.skipped) - SHOWN_SKIPPED} more were skipped")


def _reason(delivery: Document) -> str:
    reason: str = (delivery.get("last") or {}).get("reason", "")
    return reason


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"


# ---- the server, or the store ---------------------------------------------------------------------------------------


def _deliveries(location: DataLocation, error: Console, *, writing: bool = False) -> Deliveries:
    """The deliveries of the server or the store. A SQLite store that is `writing` is locked. Raises `CommandError`."""
    if (server := location.server()) is not None:
        return _Served(server)
    project, url = project_and_store(location, error)
    return _Stored(location, url, Keeping(window=project.settings.window_ms), writing=writing)


class _Served:
    def __init__(self, server: RemoteServer) -> None:
        self._server = server

    def page(self, choice: Choice, limit: int, after: str | None) -> tuple[list[Document], str | None]:
        asked = {"target": choice.target, "flow": choice.flow, "state": choice.state, "after": after}
        query = urlencode({"limit": limit, **{name: value for name, value in asked.items() if value}})
        page = call(self._server, "GET", f"/deliveries?{query}")
        return page["items"], page["after"]

    def one(self, id: str) -> Document | None:
        try:
            found: Document = call(self._server, "GET", f"/deliveries/{quote(id, safe='')}")
        except CommandError as failure:
            if "answered 404" in str(failure):
                return None
            raise
        return found

    def change(self, what: Change, choice: Choice, after: str | None) -> ChangedDeliveries:
        body = {"ids": choice.ids, "target": choice.target, "flow": choice.flow, "after": after}
        return msgspec.convert(call(self._server, "POST", f"/deliveries/{what}", body), ChangedDeliveries)


class _Stored:
    def __init__(self, location: DataLocation, url: str, keeping: Keeping, *, writing: bool) -> None:
        self._location = location
        self._url = url
        self._keeping = keeping
        self._writing = writing

    def page(self, choice: Choice, limit: int, after: str | None) -> tuple[list[Document], str | None]:
        async def read(operations: DeliveryOperations) -> tuple[list[Document], str | None]:
            items, following = await operations.page(choice, limit, after)
            return [summary_of(each) for each in items], following

        return self._with(read)

    def one(self, id: str) -> Document | None:
        async def read(operations: DeliveryOperations) -> Document | None:
            found = await operations.one(id)
            return None if found is None else serialize_delivery(found)

        return self._with(read)

    def change(self, what: Change, choice: Choice, after: str | None) -> ChangedDeliveries:
        return self._with(lambda operations: operations.change(what, choice, after))

    def _with(self, work: Callable[[DeliveryOperations], Awaitable[T]]) -> T:
        async def run() -> T:
            async with opened_store(self._url, self._location.root) as store:
                return await work(DeliveryOperations(store, SystemClock(), self._keeping))

        access: AbstractContextManager[None] = nullcontext()
        if self._writing:
            access = exclusive_access(self._url, self._location.root, LEAVE_TO_SERVER)
        with access:
            return asyncio.run(run())
