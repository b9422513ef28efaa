"""The ledger of a real server: the law holds whatever senders do, and every worker reports the counts of all."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from tests.system.load_generator import LoadGenerator
from tests.system.test_serve_workers import shared, until


async def counts(address: str) -> dict[str, Any]:
    """What one worker reports: each call makes a connection of its own."""
    async with aiohttp.ClientSession() as http, http.get(f"{address}/counts") as answer:
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
        reports = [await counts(served.address) for _ in range(24)]
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
        before = (await counts(served.address))["events"]
        os.kill(victim, signal.SIGKILL)
        await asyncio.to_thread(served.workers, 4)
        assert (await counts(served.address))["events"] == before
        await load.load(served.address, until=400, clients=16)
        after = (await counts(served.address))["events"]
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
        events = (await counts(served.address))["events"]
        assert served.stop() == 0
    assert adds_up(events)
    assert events["stored"] + events["duplicate"] >= len(load.sent)
