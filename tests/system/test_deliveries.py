"""Killed between committing and sending, and between sending and marking: no delivery is lost, each is done once."""

import asyncio
import os
import random
import signal
from pathlib import Path
from uuid import uuid4

import pytest

from tests.system.load_generator import LoadGenerator
from tests.system.receiver import Receiver
from tests.system.server_process import serving, serving_on, write_project

TELL = """
flow: tell
trigger: {event: counted}
profile: required
nodes:
  crm: {deliver.http: {target: crm, path: /events, body: {number: "{{ event.properties.number }}"}, order: ORDER}}
"""
SETTINGS = "targets:\n  crm: {url: URL, private: true}\n"


class NumberedLoad(LoadGenerator):
    """Events that carry their number."""

    def body(self, number: int) -> bytes:
        return super().body(number).replace(b'"properties":{', b'"properties":{"number":%d,' % number)


def project_for(tmp_path: Path, receiver: Receiver, order: str = "none") -> Path:
    """A project that tells the receiver of every event."""
    project = write_project(tmp_path / "project", tell=TELL.replace("ORDER", order))
    (project / "headrace.yaml").write_text(SETTINGS.replace("URL", receiver.url))
    return project


def check(receiver: Receiver, ledger: LoadGenerator) -> None:
    """Every event was done, once."""
    assert sorted(receiver.numbers) == sorted(ledger.sent)
    assert receiver.different == []


async def kill_again_and_again(tmp_path: Path, kills: int) -> Receiver:
    """Several servers one after another over one SQLite file, each killed while it takes events and sends."""
    ledger, dice = NumberedLoad(), random.Random(11)
    async with Receiver() as receiver:
        project, database = project_for(tmp_path, receiver), tmp_path / "store.db"
        for kill in range(kills):
            receiver.slow = dice.choice((0.0, 0.02, 0.3))
            with serving(project, database) as served:
                enough = len(ledger.acknowledged) + dice.randrange(5, 60)
                load = asyncio.create_task(ledger.load(served.address, until=10**9))
                await ledger.reached(enough)
                if kill % 2:
                    await asyncio.sleep(dice.random() * 0.5)
                served.kill()
                await load
        receiver.slow = 0.0
        with serving(project, database) as served:
            await ledger.resend(served.address)
            async with asyncio.timeout(60):
                await receiver.until(ledger.sent)
            assert await asyncio.to_thread(served.stop) == 0
        check(receiver, ledger)
    return receiver


@pytest.mark.timeout(180)
async def test_four_kills_lose_no_delivery_and_each_is_done_once(tmp_path: Path) -> None:
    receiver = await kill_again_and_again(tmp_path, kills=4)
    assert receiver.repeated, "no kill came between sending and marking"


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_fifty_kills_lose_no_delivery_and_each_is_done_once(tmp_path: Path) -> None:
    receiver = await kill_again_and_again(tmp_path, kills=50)
    assert receiver.repeated > 10


async def test_a_stopped_server_ends_its_requests_and_sends_nothing_again(tmp_path: Path) -> None:
    ledger = NumberedLoad()
    async with Receiver(slow=0.5) as receiver:
        project, database = project_for(tmp_path, receiver), tmp_path / "store.db"
        with serving(project, database) as served:
            came = asyncio.create_task(receiver.first())
            await ledger.load(served.address, until=20)
            await came
            assert await asyncio.to_thread(served.stop) == 0
        with serving(project, database) as served:
            async with asyncio.timeout(30):
                await receiver.until(ledger.sent)
            await asyncio.sleep(0.6)
            assert await asyncio.to_thread(served.stop) == 0
        check(receiver, ledger)
        assert receiver.repeated == 0


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_twenty_kills_of_two_workers_on_elasticsearch_lose_no_delivery(
    tmp_path: Path, elasticsearch_url: str
) -> None:
    ledger, dice = NumberedLoad(patient=True), random.Random(5)
    async with Receiver() as receiver:
        project = project_for(tmp_path, receiver)
        address = f"elasticsearch:{elasticsearch_url}?prefix=t-{uuid4().hex}"
        for _ in range(5):
            with serving_on(project, address, "--workers", "2") as served:
                for kill in range(4):  # after more, a server gives up
                    workers = await asyncio.to_thread(served.workers, 2 + kill)
                    receiver.slow = dice.choice((0.0, 0.05, 0.5))
                    enough = len(ledger.acknowledged) + 40
                    load = asyncio.create_task(ledger.load(served.address, until=enough + 20))
                    await ledger.reached(enough)
                    os.kill(workers[kill % 2], signal.SIGKILL)
                    await load
                await asyncio.to_thread(served.workers, 6)
                receiver.slow = 0.0
                await ledger.resend(served.address)
                async with asyncio.timeout(120):
                    await receiver.until(ledger.sent)
                assert await asyncio.to_thread(served.stop) == 0
            check(receiver, ledger)
