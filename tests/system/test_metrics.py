"""The metrics of a real server with two workers: any of them answers for both, under load and after a kill."""

import asyncio
import os
import signal
from itertools import pairwise
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.system.load_generator import LoadGenerator
from tests.system.server_process import ServerProcess
from tests.system.test_serve_workers import shared

RUNS = "headrace_runs_total[('flow', 'count'), ('outcome', 'finished')]"
ANSWERS = "headrace_answers_total[('status', '2xx')]"
REQUESTS = "headrace_request_duration_seconds_count[]"
GAUGES = ("_waiting", "_running", "_queued", "_up", "_kept", "_entries", "_bytes", "_open", "_lag_seconds")


async def scraped(served: ServerProcess) -> dict[str, float]:
    """The samples that one worker reports: each call makes a connection of its own."""
    async with aiohttp.ClientSession(headers=served.admin) as http, http.get(f"{served.address}/metrics") as answer:
        text = await answer.text()
        assert answer.status == 200, text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {f"{sample.name}{sorted(sample.labels.items())}": sample.value for sample in samples}


def counters(found: dict[str, float]) -> dict[str, float]:
    """The samples that never fall."""
    return {name: value for name, value in found.items() if not name.partition("[")[0].endswith(GAUGES)}


def events(found: dict[str, float]) -> dict[str, float]:
    ends = ("stored", "processed", "rejected", "duplicate")
    counted = {end: found[f"headrace_events_total{[('end', end)]}"] for end in ends}
    return {**counted, "queued": found["headrace_events_queued[]"]}


async def scrape_until(sending: "asyncio.Task[None]", served: ServerProcess) -> list[dict[str, float]]:
    """Scrape again and again until the load has ended."""
    found = []
    while not sending.done():
        found.append(await scraped(served))
    await sending
    return found


async def test_counters_of_two_workers_never_fall_and_add_up(tmp_path: Path) -> None:
    load = LoadGenerator()
    with shared(tmp_path) as served:
        victim = (await asyncio.to_thread(served.workers, 2))[0]
        scrapes = await scrape_until(asyncio.create_task(load.load(served.address, until=300)), served)
        while scrapes[-1][RUNS] < 300:  # the workers write such numbers once a second
            scrapes.append(await scraped(served))
        os.kill(victim, signal.SIGKILL)
        await asyncio.to_thread(served.workers, 3)
        scrapes += await scrape_until(asyncio.create_task(load.load(served.address, until=500)), served)
        await load.resend(served.address)
        while scrapes[-1][RUNS] < len(load.sent) or scrapes[-1][ANSWERS] != scrapes[-1][REQUESTS]:
            scrapes.append(await scraped(served))
        scrapes += [await scraped(served) for _ in range(8)]
        assert served.stop() == 0
    assert len(scrapes) > 20
    for before, after in pairwise(scrapes):
        now = counters(after)
        assert not {name: (value, now[name]) for name, value in counters(before).items() if value > now[name]}
    last = events(scrapes[-1])
    assert last["stored"] == len(load.sent)
    assert last == {**last, "processed": 0, "rejected": 0, "queued": 0}
    assert [events(scrape) for scrape in scrapes[-8:]] == [last] * 8, "each worker answers for all"
    assert scrapes[-1][RUNS] == len(load.sent)
    assert scrapes[-1][ANSWERS] == 2 * len(load.sent)
