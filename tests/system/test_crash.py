"""Killed under load: nothing that was acknowledged is lost, nothing takes effect twice (promises 1 and 3)."""

import asyncio
import random
from pathlib import Path

import aiohttp
import msgspec
import pytest

from storage.sqlite.store import SqliteStore
from tests.system.load_generator import LoadGenerator, found_in
from tests.system.server_process import ServerProcess, serving, write_project


async def crash(ledger: LoadGenerator, served: ServerProcess, more: int) -> None:
    """Kill the server while clients send, once `more` further events are acknowledged."""
    enough = len(ledger.acknowledged) + more
    load = asyncio.create_task(ledger.load(served.address, until=10**9))
    await ledger.reached(enough)
    served.kill()
    await load


async def stored(database: Path, ledger: LoadGenerator) -> tuple[set[int], int]:
    """The numbers of the stored events, and the sum of all counters."""
    store = SqliteStore.open(database)
    try:
        return await found_in(store, ledger)
    finally:
        await store.close()


async def kill_again_and_again(
    tmp_path: Path, kills: int, module: str = "cli.main"
) -> tuple[LoadGenerator, set[int], int]:
    """Several servers one after another over one file, each killed under load; then every event is sent again.

    Gives the ledger, what was missing although acknowledged before the resending, and by how much counters are off.
    """
    project, database, ledger = write_project(tmp_path / "project"), tmp_path / "store.db", LoadGenerator()
    dice = random.Random(7)
    missing: set[int] = set()
    for _ in range(kills):
        with serving(project, database, module) as served:
            await crash(ledger, served, dice.randrange(5, 120))
        found, _ = await stored(database, ledger)
        missing |= ledger.acknowledged - found
    with serving(project, database) as served:
        await ledger.resend(served.address)
        assert served.stop() == 0
    found, total = await stored(database, ledger)
    assert found == ledger.sent == ledger.acknowledged
    return ledger, missing, total - len(ledger.sent)


async def test_ten_kills_under_load_lose_nothing_acknowledged_and_double_nothing(tmp_path: Path) -> None:
    ledger, missing, off = await kill_again_and_again(tmp_path, kills=10)
    assert len(ledger.acknowledged) > 100
    assert (missing, off) == (set(), 0)


@pytest.mark.soak
@pytest.mark.timeout(1200)
async def test_fifty_kills_under_load_lose_nothing_acknowledged_and_double_nothing(tmp_path: Path) -> None:
    _, missing, off = await kill_again_and_again(tmp_path, kills=50)
    assert (missing, off) == (set(), 0)


async def test_a_server_that_acknowledges_before_the_commit_is_caught(tmp_path: Path) -> None:
    _, missing, _ = await kill_again_and_again(tmp_path, kills=2, module="tests.system.lossy_server")
    assert missing


async def test_64_clients_count_to_exactly_10_000_and_repeats_change_nothing_also_after_a_restart(
    tmp_path: Path,
) -> None:
    project, database, ledger = write_project(tmp_path / "project"), tmp_path / "store.db", LoadGenerator(profiles=1)
    with serving(project, database) as served:
        await ledger.load(served.address, until=10_000 - 64, clients=64)
        await asyncio.gather(ledger.resend(served.address), ledger.resend(served.address))
        assert served.stop() == 0
    with serving(project, database) as served:
        await ledger.resend(served.address)
        assert served.stop() == 0
    found, total = await stored(database, ledger)
    assert found == ledger.sent
    assert total == len(ledger.sent) >= 10_000 - 64


async def test_a_stopped_server_says_what_became_of_every_event(tmp_path: Path) -> None:
    project, database, ledger = write_project(tmp_path / "project"), tmp_path / "store.db", LoadGenerator()
    with serving(project, database) as served:
        await ledger.load(served.address, until=50)
        await ledger.resend(served.address)
        async with (
            aiohttp.ClientSession(headers=served.admin) as http,
            http.get(f"{served.address}/counts") as answer,
        ):
            events = msgspec.json.decode(await answer.read())["events"]
        assert served.stop() == 0
    assert events["received"] == events["stored"] + events["processed"] + events["rejected"] + events["duplicate"]
    assert (events["stored"], events["duplicate"]) == (len(ledger.sent), len(ledger.sent))


def test_a_second_server_on_the_same_store_is_refused_naming_the_first(tmp_path: Path) -> None:
    project, database = write_project(tmp_path / "project"), tmp_path / "store.db"
    with (
        serving(project, database) as first,
        pytest.raises(AssertionError, match=str(first.process.pid)),
        serving(project, database),
    ):
        pass
