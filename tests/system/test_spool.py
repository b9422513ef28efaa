"""The store goes away under load, and servers are killed: with a spool nothing is refused, lost or doubled."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.system.load_generator import LoadGenerator
from tests.system.server_process import ServerProcess, serving, write_project
from tests.system.test_crash import crash, stored

MODULE = "tests.system.unreachable_store"


class SpoolServer:
    """A project with a spool, its database, and the switch that takes the store away."""

    def __init__(self, root: Path) -> None:
        self.project = write_project(root / "project")
        (self.project / "headrace.yaml").write_text("spool: on\n")
        self.database = root / "store.db"
        self._switch = root / "store.db.away"

    def away(self) -> None:
        self._switch.touch()

    def back(self) -> None:
        self._switch.unlink()


@pytest.fixture
def place(tmp_path: Path) -> SpoolServer:
    return SpoolServer(tmp_path)


async def health(served: ServerProcess) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as http, http.get(f"{served.address}/health/ready") as answer:
        document: dict[str, Any] = msgspec.json.decode(await answer.read())
        return answer.status, document


async def drained(served: ServerProcess) -> None:
    """Wait until nothing waits any more."""
    while (await health(served))[1]["status"] != "ready":
        pass


async def test_servers_killed_while_the_store_is_away_lose_and_double_nothing(place: SpoolServer) -> None:
    ledger = LoadGenerator()
    with serving(place.project, place.database, MODULE) as served:
        await ledger.load(served.address, until=50)
        place.away()
        await crash(ledger, served, more=150)
    with serving(place.project, place.database, MODULE) as served:
        await crash(ledger, served, more=100)
    place.back()
    with serving(place.project, place.database, MODULE) as served:
        await crash(ledger, served, more=100)  # while it drains
    with serving(place.project, place.database, MODULE) as served:
        await drained(served)
        found, _ = await stored(place.database, ledger)
        assert ledger.acknowledged <= found
        await ledger.resend(served.address)
        assert served.stop() == 0
    found, total = await stored(place.database, ledger)
    assert found == ledger.sent == ledger.acknowledged
    assert total == len(ledger.sent)


async def test_a_store_that_is_away_for_a_while_under_load_is_not_noticed_by_clients(place: SpoolServer) -> None:
    ledger = LoadGenerator()
    with serving(place.project, place.database, MODULE) as served:
        load = asyncio.create_task(ledger.load(served.address, until=1000))
        for enough in (200, 600):
            await ledger.reached(enough)
            place.away()
            await ledger.reached(enough + 200)
            status, document = await health(served)
            assert (status, document["status"], document["spooled"] > 100) == (200, "spooling", True)
            place.back()
        await load
        await drained(served)
        assert served.stop() == 0
    found, total = await stored(place.database, ledger)
    assert found == ledger.sent == ledger.acknowledged
    assert total == len(ledger.sent)


async def test_what_waits_when_a_server_is_stopped_is_drained_by_the_next(place: SpoolServer) -> None:
    ledger = LoadGenerator()
    with serving(place.project, place.database, MODULE) as served:
        place.away()
        await ledger.load(served.address, until=50)
        assert served.stop() == 0
    assert await stored(place.database, ledger) == (set(), 0)
    place.back()
    with serving(place.project, place.database, MODULE) as served:
        await drained(served)
        assert served.stop() == 0
    assert await stored(place.database, ledger) == (ledger.sent, len(ledger.sent))
