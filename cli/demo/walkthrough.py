"""`headrace demo`: the starter's web shop on a real server, with real events, their traces and the stored profiles.

It shows which profiles enter and leave segments, which visitors turn out to be one customer, and how to undo a merge.

Everything is temporary: a copy of the starter, its pretended systems on a free port, a child process that serves the
copy on another, a SQLite file. All of it is removed when the demo ends, also when it is interrupted.
"""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.admin_key import server_key
from cli.call import RemoteServer
from cli.demo import sample
from cli.demo.mail_server import MAIL_PORT
from cli.demo.other_systems import WAIT, show_nightly, show_sent
from cli.demo.sample import Document, Exchange, SegmentChange, profile_ids, segment_changes, send_sample
from cli.demo.server import ServerFailed, serving
from cli.demo.services import PORT, shop_systems
from cli.demo.unmerge import Share, get, profile_row, show_unmerge
from cli.init import init
from cli.traces import BAD, GOOD, QUIET, event_block, event_line, short

# Events with a whole trace, by id, and the flow whose steps it shows (None: all); the others get one line.
WHOLE = {
    "bo-4": "newsletter",
    "cem-4": "order-to-vip",
    "phone-3": "order-to-vip",
    "dora-7": None,
    "dora-8": "order-to-vip",
    "cem-5": "cart",
    "till-1": "coupon-redeemed",
}

SHOWN = {"ann": "Ann", "bo": "Bo", "cem": "Cem"}  # the profiles of the last table, by visitor

# The values that Ann's laptop and her phone must have after the unmerge.
SHARES = {
    "Ann's laptop": Share(240, ("newsletter-readers", "regulars")),
    "Ann's phone": Share(320, ("big-spenders", "vip"), lost="regular_since"),
}


def demo(console: Console) -> int:
    """Run the demo. Exit code 0 when all counts and segments are as expected, else 1; 130 when it is interrupted."""
    try:
        with TemporaryDirectory(prefix="headrace-demo-") as directory:
            return asyncio.run(_interruptible(Path(directory), console))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Interrupted. The server has been stopped, and nothing is left behind.")
        return 130
    except (ServerFailed, OSError, aiohttp.ClientError, TimeoutError) as error:
        console.print(f"The demo could not go on: {error or type(error).__name__}", style=BAD, markup=False)
        return 1


def example_key() -> str:
    """Return the key that signs the webhooks of the starter."""
    return (files("flows") / "starter" / "warehouse.key").read_text().strip()


def systems(console: Console, port: int = PORT, mail_port: int = MAIL_PORT) -> int:
    """Run only the shop's simulated systems, where the starter's headrace.yaml expects them, until interrupted."""

    async def wait() -> None:
        async with shop_systems(example_key(), port, mail_port) as shop:
            console.print(f"The shop's CRM, catalogue and warehouse are at {shop.address}.", highlight=False)
            console.print(f"Its mail server is at {shop.mail_address}. Ctrl-C stops them.", highlight=False)
            await asyncio.Event().wait()

    try:
        asyncio.run(wait())
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        console.print(f"Cannot listen on port {port} or {mail_port}: {error.strerror}.", style=BAD)
        return 1
    return 0


async def _interruptible(directory: Path, console: Console) -> int:
    """Run the demo so that SIGTERM cancels it, as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await _run(directory, console)


async def _run(directory: Path, console: Console) -> int:
    shop = directory / "shop"
    init(shop, Console(quiet=True))
    lines = [json.loads(line) for line in (shop / "events" / "sample.jsonl").read_text().splitlines()]
    async with shop_systems(example_key()) as systems:
        settings = shop / "headrace.yaml"
        text = settings.read_text().replace(f"http://127.0.0.1:{PORT}", systems.address)
        settings.write_text(text.replace(f"smtp://127.0.0.1:{MAIL_PORT}", systems.mail_address))
        cart = shop / "flows" / "abandoned-cart.yaml"
        cart.write_text(cart.read_text().replace(*WAIT))
        async with serving(shop, directory / "shop.db") as address:
            start = f"A web shop is served on [bold]{address}[/]; its CRM is at {systems.address}."
            console.print(start, highlight=False)
            async with aiohttp.ClientSession(address) as client:
                exchanges = await send_sample(lines, client, console)
            ids = profile_ids(exchanges)
            _show_traces(exchanges, console)
            admin = RemoteServer(address, server_key(shop, {}).value)
            async with aiohttp.ClientSession(admin.url, headers=admin.headers) as client:
                errors = await show_sent(systems, console)
                errors += await _show_stored(client, ids, console)
                errors += await show_nightly(client, console)
                console.rule("Which devices are one customer, and which are not")
                errors += await show_unmerge(client, ids["ann"], SHARES, console)
    return _conclude([*errors, *_wrong_answers(exchanges)], console)


def _wrong_answers(exchanges: list[Exchange]) -> Iterator[str]:
    changes = [change for of_request in segment_changes(exchanges) for change in of_request]
    if changes != list(sample.SEGMENT_CHANGES):
        yield f"segments are entered and left otherwise: {changes}"
    yield from (
        f"{exchange.to} was answered with {exchange.status}" for exchange in exchanges if exchange.status != 200
    )


def _conclude(errors: list[str], console: Console) -> int:
    for line in errors:
        console.print(f"✗ {line}", style=BAD)
    if not errors:
        console.print("✓ Every event is accounted for. The server has stopped; nothing is left behind.", style=GOOD)
        console.print("Your turn: headrace init shop, headrace serve shop, and shop/README.md.", style="bold")
    return 1 if errors else 0


def _show_traces(exchanges: list[Exchange], console: Console) -> None:
    """Print whole traces of some events, and of the events between them one line for each kind of line."""
    console.rule("What became of every event, and why")
    between: Counter[str] = Counter()  # lines as markup
    for exchange, changes in zip(exchanges, segment_changes(exchanges), strict=True):
        execution = exchange.answer.get("debugging", {}).get("execution")
        if execution is None:
            between[f"[{QUIET}]○ [/][bold]{exchange.to}[/]  taken; there are no traces for /collect"] += 1
            continue
        whole = {id: event for id, event in execution.items() if _is_whole(id, event)}
        lines = [line for id, event in execution.items() if id not in whole and (line := event_line(event)) is not None]
        between.update(line.markup for line in lines)
        if whole:
            _flush(between, console)
            console.print(Text(f"\n{exchange.note}", style="italic"))
            for id, event in whole.items():
                console.print(event_block(id, event, _flow_with_steps(id, event)))
            between[""] = 1  # an empty line before the next lines
        between.update(_change_lines(changes))
    _flush(between, console)


def _change_lines(changes: list[SegmentChange]) -> Iterator[str]:
    """Lines, as markup, with the segments that a visitor enters and leaves."""
    for entered, verb in ((True, "enters"), (False, "leaves")):
        names = [segment for _, segment, is_entered in changes if is_entered is entered]
        if names:
            visitor = changes[0][0].replace("-", "'s ").capitalize()
            yield f"[bold]→ {visitor}[/] {verb} [magenta]{', '.join(names)}[/]"


def _is_whole(id: str, event: Document) -> bool:
    return id in WHOLE or event.get("parent") in WHOLE or event["disposition"] in {"rejected", "duplicate"}


def _flow_with_steps(id: str, event: Document) -> str | None:
    """Return the flow whose steps are printed; None for all flows, and an empty name for none."""
    return "" if event["disposition"] == "duplicate" else WHOLE.get(id)  # the steps of a repeat were printed before


def _flush(lines: Counter[str], console: Console) -> None:
    """Print the lines between two whole traces, equal ones once, and clear them. A lone empty line is not printed."""
    for line, count in lines.items() if any(lines) else ():
        times = f"  × {count}" if count > 1 else ""
        text = Text.from_markup(line).append(times, style=QUIET)
        console.print(text, no_wrap=True, overflow="ellipsis")
    lines.clear()


async def _show_stored(client: aiohttp.ClientSession, ids: dict[str, str], console: Console) -> list[str]:
    """Print what the store has now. Returns the counts that are not as expected, in words."""
    console.rule("What is stored now")
    counts = await get(client, "/counts")
    for name, numbers in (("events, by what became of them", counts["events"]), ("kept", counts["stored"])):
        text = "  ".join(f"{word} {number}" for word, number in numbers.items())
        console.print(Text.assemble((f"{name}: ", "bold"), text))
    table = Table("profile", "traits", "segments", box=None, header_style="bold", pad_edge=False)
    for visitor, name in SHOWN.items():
        profile = await get(client, f"/profiles/{ids[visitor]}")
        table.add_row(*profile_row(name, profile))
    console.print(Padding(table, (1, 0)))
    for rejected in await get(client, "/rejected"):
        reason = f"{rejected['reason']} (at {rejected['at_field']})"
        console.print(Text.assemble(("rejected: ", BAD), f"{reason}; kept whole: {short(rejected['body'])}"))
    return [*_differences(counts["events"], sample.EVENTS), *_differences(counts["stored"], sample.STORED)]


def _differences(counts: dict[str, int], expected: dict[str, int]) -> Iterator[str]:
    for name, number in expected.items():
        if counts.get(name) != number:
            yield f"{name}: {counts.get(name)}, and it must be {number}"
