"""`headrace demo`: the starter's web shop on a real server, with real events, their traces, and what is stored of them.

It shows who enters and leaves segments, who turns out to be whom and why, and how that is undone.

Everything is temporary: a copy of the starter, its pretended systems on a free port, a child process that serves the
copy on another, a SQLite file. All of it is gone when the demo ends, also when it is interrupted.
"""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
from msgspec import Struct
from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from cli.demo.server import ServerFailed, serving
from cli.demo.services import PORT, shop_systems
from cli.demo.unmerge import Share, get, profile_row, show_unmerge
from cli.init import init
from cli.traces import BAD, QUIET, WELL, event_block, event_line, short

# What the starter's sample must come to; `tests/flows/test_starter.py` counts it without a server.
EVENTS = {"received": 54, "stored": 50, "processed": 2, "rejected": 1, "duplicate": 1, "queued": 0}
STORED = {"profiles": 7, "sessions": 15, "events": 66, "rejected": 1}

# The events that are shown whole, each with the flow whose steps are; of the others there is one line each.
WHOLE = {
    "bo-4": "newsletter",
    "cem-4": "order-to-vip",
    "phone-3": "order-to-vip",
    "dora-7": None,
    "dora-8": "order-to-vip",
    "cem-5": "cart",
    "till-1": "coupon-redeemed",
}
Crossing = tuple[str, str, bool]  # visitor, segment, whether it was entered

SHOWN = {"ann": "Ann", "bo": "Bo", "cem": "Cem"}  # the profiles that are shown at the end

# Who must enter (True) and leave which segments, as the answers tell it, in this order.
CROSSED = (
    ("bo", "newsletter-readers", True),
    ("ann", "cart-abandoners", True),
    ("ann", "cart-abandoners", False),
    ("cem", "big-spenders", True),
    ("cem", "vip", True),
    ("ann-phone", "big-spenders", True),
    ("ann-phone", "regulars", True),
    ("ann-phone", "vip", True),
    ("gus", "big-spenders", True),
    ("gus", "vip", True),
    ("dora", "big-spenders", True),
    ("bo", "cart-abandoners", True),
    ("bo", "regulars", True),
    ("ann", "newsletter-readers", True),
)

# What Ann's laptop and her phone must have again, once they are set apart.
SHARES = {
    "Ann's laptop": Share(240, ("newsletter-readers", "regulars")),
    "Ann's phone": Share(320, ("big-spenders", "vip"), lost="regular_since"),
}


class Sent(Struct, frozen=True):
    """A line of the sample, and what the server answered."""

    to: str
    visitor: str
    note: str
    status: int
    answer: dict[str, Any]


def demo(console: Console) -> int:
    """Run the demo. Exit code 0 when everything came to what it must come to, else 1; 130 when it is interrupted."""
    try:
        with TemporaryDirectory(prefix="headrace-demo-") as directory:
            return asyncio.run(_interruptible(Path(directory), console))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Interrupted. The server has been stopped, and nothing is left behind.")
        return 130
    except (ServerFailed, OSError, aiohttp.ClientError, TimeoutError) as error:
        console.print(f"The demo could not go on: {error or type(error).__name__}", style=BAD, markup=False)
        return 1


def systems(console: Console, port: int = PORT) -> int:
    """Run only the shop's pretended systems, where the starter's headrace.yaml expects them, until interrupted."""

    async def wait() -> None:
        async with shop_systems(port) as address:
            console.print(f"The shop's CRM and catalogue are at {address}. Ctrl-C stops them.", highlight=False)
            await asyncio.Event().wait()

    try:
        asyncio.run(wait())
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        console.print(f"Cannot listen on port {port}: {error.strerror}.", style=BAD)
        return 1
    return 0


async def _interruptible(directory: Path, console: Console) -> int:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await _run(directory, console)


async def _run(directory: Path, console: Console) -> int:
    shop = directory / "shop"
    init(shop, Console(quiet=True))
    lines = [json.loads(line) for line in (shop / "events" / "sample.jsonl").read_text().splitlines()]
    async with shop_systems() as outside:
        settings = shop / "headrace.yaml"
        settings.write_text(settings.read_text().replace(f"http://127.0.0.1:{PORT}", outside))
        async with serving(shop, directory / "shop.db") as address, aiohttp.ClientSession(address) as client:
            console.print(f"A web shop is served on [bold]{address}[/]; its CRM is at {outside}.", highlight=False)
            sent, ids = await _send_all(lines, client, console)
            _show_traces(sent, console)
            error = await _show_stored(client, ids, console)
            console.rule("Who is who, and who is not")
            error += await show_unmerge(client, ids["ann"], SHARES, console)
    if (crossed := [one for each in crossings(sent) for one in each]) != list(CROSSED):
        error.append(f"segments are entered and left otherwise: {crossed}")
    error += [f"{one.to} was answered with {one.status}" for one in sent if one.status != 200]
    for line in error:
        console.print(f"✗ {line}", style=BAD)
    if not error:
        console.print("✓ Every event is accounted for. The server has stopped; nothing is left behind.", style=WELL)
        console.print("Your turn: headrace init shop, headrace serve shop, and shop/README.md.", style="bold")
    return 1 if error else 0


# ---- sending --------------------------------------------------------------------------------------------------------


async def _send_all(
    lines: list[dict[str, Any]], client: aiohttp.ClientSession, console: Console
) -> tuple[list[Sent], dict[str, str]]:
    """Send the sample, each visitor's payloads with the profile id that its first answer gave."""
    ids: dict[str, str] = {}
    sent: list[Sent] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as progress:
        for line in progress.track(lines, description="Sending the sample through /track"):
            body = _as_client(line, ids)
            async with client.post(line["to"], json=body) as response:
                answer = await response.json(content_type=None)
            profile = answer.get("profile", {}).get("id")
            if profile is not None:
                ids[line["visitor"]] = profile
            _name_types(answer, body)
            sent.append(Sent(line["to"], line["visitor"], line.get("note", ""), response.status, answer))
    return sent, ids


def _as_client(line: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    """The body of a line, with what a tracker adds: the profile id it was answered, and the wish for a trace."""
    body: dict[str, Any] = line["body"]
    if not line["to"].startswith("/track"):
        return body
    known = {"profile": {"id": ids[line["visitor"]]}} if line["visitor"] in ids else {}
    return {**body, **known, "options": {**body.get("options", {}), "debugger": True}}


def _name_types(answer: dict[str, Any], body: dict[str, Any]) -> None:
    """Say the type of what took no effect, which the sender knows."""
    for told in answer.get("debugging", {}).get("execution", {}).values():
        if "type" not in told and isinstance(given := body["events"][told["index"]].get("type"), str):
            told["type"] = given


def crossings(sent: list[Sent]) -> Iterator[list[Crossing]]:
    """For each payload the segments that its profile has entered and left: what is answered, compared with before.

    Who turns out to be somebody enters no segment of theirs.
    """
    known: dict[str, set[str]] = {}
    for one in sent:
        id, debugging = one.answer.get("profile", {}).get("id"), one.answer.get("debugging")
        if id is None or debugging is None:
            yield []
            continue
        before, now = known.get(id, set()), set(debugging["segmentation"]["ids"])
        told = debugging["profile"]["ids"]  # none for a payload that did nothing
        known[id] = now if told else before
        yield [(one.visitor, name, name in now) for name in sorted(before ^ now)] if told else []


# ---- showing --------------------------------------------------------------------------------------------------------


def _show_traces(sent: list[Sent], console: Console) -> None:
    console.rule("What became of every event, and why")
    between: Counter[str] = Counter()  # lines as markup
    for one, crossed in zip(sent, crossings(sent), strict=True):
        execution = one.answer.get("debugging", {}).get("execution")
        if execution is None:
            between[f"[{QUIET}]○ [/][bold]{one.to}[/]  taken; there are no traces for /collect"] += 1
            continue
        whole = {key: told for key, told in execution.items() if _is_whole(key, told)}
        lines = [line for key, told in execution.items() if key not in whole and (line := event_line(told)) is not None]
        between.update(line.markup for line in lines)
        if whole:
            _flush(between, console)
            console.print(Text(f"\n{one.note}", style="italic"))
            for key, told in whole.items():
                console.print(event_block(key, told, WHOLE.get(key)))
            between[""] = 1  # an empty line before what follows
        between.update(_crossed_lines(crossed))
    _flush(between, console)


def _crossed_lines(crossed: list[Crossing]) -> Iterator[str]:
    """As markup, who has entered and left what."""
    for entered, word in ((True, "enters"), (False, "leaves")):
        names = [segment for _, segment, way in crossed if way is entered]
        if names:
            who = crossed[0][0].replace("-", "'s ").capitalize()
            yield f"[bold]→ {who}[/] {word} [magenta]{', '.join(names)}[/]"


def _is_whole(key: str, told: dict[str, Any]) -> bool:
    return key in WHOLE or told.get("parent") in WHOLE or told["disposition"] in {"rejected", "duplicate"}


def _flush(lines: Counter[str], console: Console) -> None:
    """Print what came between two events that are shown whole, equal lines as one; nothing for a mere empty line."""
    for line, count in lines.items() if any(lines) else ():
        times = f"  × {count}" if count > 1 else ""
        shown = Text.from_markup(line).append(times, style=QUIET)
        console.print(shown, no_wrap=True, overflow="ellipsis")
    lines.clear()


async def _show_stored(client: aiohttp.ClientSession, ids: dict[str, str], console: Console) -> list[str]:
    """Show what the store holds now; gives what is not as it must be."""
    console.rule("What is stored now")
    counts = await get(client, "/counts")
    for name, told in (("events, by what became of them", counts["events"]), ("kept", counts["stored"])):
        numbers = "  ".join(f"{word} {number}" for word, number in told.items())
        console.print(Text.assemble((f"{name}: ", "bold"), numbers))
    table = Table("profile", "traits", "segments", box=None, header_style="bold", pad_edge=False)
    for visitor, name in SHOWN.items():
        profile = await get(client, f"/profiles/{ids[visitor]}")
        table.add_row(*profile_row(name, profile))
    console.print(Padding(table, (1, 0)))
    for one in await get(client, "/rejected"):
        reason = f"{one['reason']} (at {one['at_field']})"
        console.print(Text.assemble(("rejected: ", BAD), f"{reason}; kept whole: {short(one['body'])}"))
    return [*_differences(counts["events"], EVENTS), *_differences(counts["stored"], STORED)]


def _differences(found: dict[str, int], wanted: dict[str, int]) -> Iterator[str]:
    for name, number in wanted.items():
        if found.get(name) != number:
            yield f"{name}: {found.get(name)}, and it must be {number}"
