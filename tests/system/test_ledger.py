"""The ledger of a real server: the law holds whatever senders do, and every worker reports the counts of all."""

import asyncio
import os
import random
import signal
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest

from tests.system.load_generator import LoadGenerator
from tests.system.server_process import ServerProcess, serving_on, write_project
from tests.system.test_serve_workers import shared, until


async def counts(served: ServerProcess) -> dict[str, Any]:
    """The counts that one worker reports: each call makes a connection of its own."""
    async with aiohttp.ClientSession(headers=served.admin) as http, http.get(f"{served.address}/counts") as answer:
        assert answer.status == 200, await answer.text()
        reported: dict[str, Any] = msgspec.json.decode(await answer.read())
        return reported


def adds_up(events: dict[str, int]) -> bool:
    places = ("stored", "processed", "rejected", "duplicate", "queued")
    return events["received"] == sum(events[place] for place in places)


async def test_every_worker_reports_the_counts_of_all_workers(tmp_path: Path) -> None:
    load = LoadGenerator()
    with shared(tmp_path, workers=3) as served:
        await asyncio.to_thread(served.workers, 3)
        await load.load(served.address, until=300, clients=16)
        await load.resend(served.address)
        reports = [await counts(served) for _ in range(24)]
        assert served.stop() == 0
    sent = len(load.sent)
    assert [report["events"] for report in reports] == [reports[0]["events"]] * 24
    assert reports[0]["events"] == {
        "received": 2 * sent, "stored": sent, "processed": 0, "rejected": 0, "duplicate": sent, "queued": 0,
    }  # fmt: skip
    assert reports[0]["stored"]["events"] == sent


async def test_the_counts_of_a_worker_outlive_it(tmp_path: Path) -> None:
    load = LoadGenerator()
    with shared(tmp_path, workers=3) as served:
        victim = (await asyncio.to_thread(served.workers, 3))[0]
        await load.load(served.address, until=200, clients=16)
        before = (await counts(served))["events"]
        os.kill(victim, signal.SIGKILL)
        await asyncio.to_thread(served.workers, 4)
        assert (await counts(served))["events"] == before
        await load.load(served.address, until=400, clients=16)
        after = (await counts(served))["events"]
        assert served.stop() == 0
    assert after["stored"] == len(load.sent) == after["received"]


async def test_the_counts_add_up_after_a_kill_under_load(tmp_path: Path) -> None:
    load = LoadGenerator()
    with shared(tmp_path, workers=3) as served:
        victim = (await asyncio.to_thread(served.workers, 3))[0]
        sending = asyncio.create_task(load.load(served.address, until=300))
        await until(load.reached(150), sending)
        os.kill(victim, signal.SIGKILL)
        await sending
        await load.resend(served.address)
        events = (await counts(served))["events"]
        assert served.stop() == 0
    assert adds_up(events)
    assert events["stored"] + events["duplicate"] >= len(load.sent)


async def hang_up(address: str, body: bytes, keep: int, *, reset: bool) -> None:
    """Send the first `keep` bytes of a request and hang up; with `reset` the kernel drops what is under way."""
    place = urlsplit(address)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    head = b"POST /track HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    request = head % len(body) + body
    writer.write(request[: min(keep, len(request))])
    await writer.drain()
    if keep > len(request):  # the answer has begun to come
        await reader.read(1)
    if reset:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def hang_ups(load: LoadGenerator, address: str, count: int, dice: random.Random) -> None:
    """Requests of numbered events that are cut anywhere: in the head, in the body, before and within the answer."""
    for _ in range(count):
        body = load.body(load.next_number())
        await hang_up(address, body, dice.choice([20, 150, 10_000, 200_000]), reset=dice.random() < 0.5)


@pytest.mark.parametrize("spool", [False, True], ids=["without a spool", "on the way to a spool"])
async def test_the_counts_agree_with_the_store_though_clients_hang_up(tmp_path: Path, *, spool: bool) -> None:
    load, dice, database = LoadGenerator(), random.Random(7), tmp_path / "store.db"
    project, away = write_project(tmp_path / "project"), tmp_path / "store.db.away"
    options = ["--spool", str(tmp_path / "spool")] if spool else []
    with serving_on(project, f"sqlite:{database}", *options, module="tests.system.unreachable_store") as served:
        if spool:
            away.touch()
        rude = [hang_ups(load, served.address, 40, random.Random(dice.random())) for _ in range(8)]
        await asyncio.gather(*rude, load.load(served.address, until=100))
        away.unlink(missing_ok=True)
        await load.resend(served.address)
        report = await counts(served)
        while report["events"]["queued"]:
            report = await counts(served)
        assert served.stop() == 0
    assert adds_up(report["events"])
    assert report["events"]["stored"] == report["stored"]["events"] == len(load.sent)
