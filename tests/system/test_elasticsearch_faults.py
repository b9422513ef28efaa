"""Elasticsearch with faults, under load: servers killed, nodes killed, the store away. Nothing acknowledged is lost."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from storage.elasticsearch.store import ElasticsearchStore
from tests.servers.elasticsearch import Cluster
from tests.servers.fault_proxy import FaultProxy
from tests.storage.elasticsearch_requests import dropped
from tests.system.load_generator import JSON, LoadGenerator, found_in
from tests.system.server_process import ServerProcess, serving_on, write_project
from tests.system.test_serve_workers import until

pytestmark = pytest.mark.timeout(240)


class PatientLedger(LoadGenerator):
    """Clients that get 503 at times: they note it, and go on with the next event, after so many `seconds`."""

    def __init__(self, profiles: int = 4, seconds: float = 0) -> None:
        super().__init__(profiles)
        self.seconds = seconds
        self.statuses: Counter[int] = Counter()
        self.refused: list[str] = []  # the reasons in the answers with status 503

    async def _send(self, http: aiohttp.ClientSession, address: str, number: int, tries: int) -> bool:
        for _ in range(tries):
            try:
                async with http.post(f"{address}/track", data=self.body(number), headers=JSON) as answer:
                    await answer.read()
            except aiohttp.ClientError:
                continue
            self.statuses[answer.status] += 1
            if answer.status == 200:
                self._acknowledge(number)
                await asyncio.sleep(self.seconds)
                return True
            assert answer.status == 503, await answer.text()
            self.refused.append((await answer.json(content_type=None))["detail"])
            assert int(answer.headers["Retry-After"]) >= 1
            if tries == 1:
                return True
            await asyncio.sleep(0.2)  # what `Retry-After` asks for, shortened
        return False


def store_at(urls: list[str], prefix: str) -> str:
    """A store's address without its kind."""
    return f"{','.join(urls)}?prefix={prefix}"


async def settled(address: str, ledger: LoadGenerator) -> tuple[set[int], int]:
    """The numbers of the stored events and the sum of all counters, once what a crash left is finished."""
    store = ElasticsearchStore.open(address)
    try:
        await store.sweep(0)
        return await found_in(store, ledger)
    finally:
        await store.close()


@contextmanager
def two_servers(project: Path, address: str) -> Iterator[list[ServerProcess]]:
    """Two servers of their own over one store; a test may replace one that it killed."""
    with ExitStack() as stack:
        servers = [stack.enter_context(serving_on(project, f"elasticsearch:{address}")) for _ in range(2)]
        yield servers
        for served in servers:
            if served.process.poll() is None:
                assert served.stop() == 0


def exact(ledger: LoadGenerator, found: set[int], total: int) -> None:
    """Everything that was sent is there, and took effect once."""
    assert found == ledger.sent == ledger.acknowledged
    assert total == len(ledger.sent)


async def kill_servers(project: Path, address: str, kills: int) -> None:
    """Two servers under load, one or the other killed and started again; then every event is sent again."""
    ledger, dice = PatientLedger(), random.Random(11)
    with ExitStack() as stack, two_servers(project, address) as servers:
        for _ in range(kills):
            enough = len(ledger.acknowledged) + dice.randrange(10, 60)
            loads = [asyncio.create_task(ledger.load(each.address, until=enough + 20)) for each in servers]
            await ledger.reached(enough)
            victim = dice.randrange(2)
            servers[victim].kill()
            await asyncio.gather(*loads)
            servers[victim] = stack.enter_context(serving_on(project, f"elasticsearch:{address}"))
        missing = ledger.acknowledged - (await settled(address, ledger))[0]
        assert missing == set()
        await asyncio.gather(*(ledger.resend(each.address) for each in servers))
    exact(ledger, *await settled(address, ledger))


async def test_five_kills_of_two_servers_lose_nothing_and_double_nothing(
    tmp_path: Path, elasticsearch_url: str
) -> None:
    await kill_servers(write_project(tmp_path / "project"), store_at([elasticsearch_url], f"t-{uuid4().hex}"), kills=5)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_twenty_kills_of_two_servers_lose_nothing_and_double_nothing(
    tmp_path: Path, elasticsearch_url: str
) -> None:
    await kill_servers(write_project(tmp_path / "project"), store_at([elasticsearch_url], f"t-{uuid4().hex}"), kills=20)


async def kill_nodes(project: Path, cluster: Cluster, kills: int) -> None:
    """A server under load while one node after another is killed and comes back; then every event is sent again."""
    prefix, ledger, dice = f"t-{uuid4().hex}", PatientLedger(), random.Random(5)
    address = store_at(cluster.urls, prefix)
    with serving_on(project, f"elasticsearch:{address}") as served:
        for _ in range(kills):
            load = asyncio.create_task(ledger.load(served.address, until=10**9))
            await until(ledger.reached(len(ledger.acknowledged) + 50), load)
            victim = dice.randrange(3)
            cluster.kill(victim)
            await until(ledger.reached(len(ledger.acknowledged) + 50), load)  # the others go on without it
            load.cancel()
            await asyncio.wait([load])
            cluster.restore()  # in this thread: a process that another one began would end with it
        assert ledger.acknowledged - (await settled(address, ledger))[0] == set()
        await ledger.resend(served.address)
        assert served.stop() == 0
    exact(ledger, *await settled(address, ledger))
    await dropped(cluster.urls[0], prefix)  # the cluster is other tests', too


async def test_a_killed_node_of_three_costs_no_acknowledged_event(
    tmp_path: Path, elasticsearch_cluster: Cluster
) -> None:
    await kill_nodes(write_project(tmp_path / "project"), elasticsearch_cluster, kills=1)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_five_kills_of_nodes_cost_no_acknowledged_event(tmp_path: Path, elasticsearch_cluster: Cluster) -> None:
    await kill_nodes(write_project(tmp_path / "project"), elasticsearch_cluster, kills=5)


@pytest.fixture
async def proxy(elasticsearch_url: str) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(elasticsearch_url, seed=3) as proxy:
        yield proxy


async def drained(served: ServerProcess) -> None:
    """Wait until nothing is queued any more."""
    async with aiohttp.ClientSession(headers=served.admin) as http:
        while True:
            async with http.get(f"{served.address}/counts") as answer:
                if not (await answer.json())["events"]["queued"]:
                    return


async def away(project: Path, proxy: FaultProxy, seconds: float) -> PatientLedger:
    """Elasticsearch is away for some time under load."""
    address, ledger = store_at([proxy.url], f"t-{uuid4().hex}"), PatientLedger(seconds=0.02)
    with ExitStack() as stack:  # the proxy is served by this loop, so nothing may block it
        served = await asyncio.to_thread(stack.enter_context, serving_on(project, f"elasticsearch:{address}"))
        load = asyncio.create_task(ledger.load(served.address, until=10**9, clients=16))
        await until(ledger.reached(100), load)
        before, refused = ledger.statuses.copy(), len(ledger.refused)
        await proxy.stop()
        await asyncio.sleep(seconds)  # the time that it is away is what this is about
        meanwhile, reasons = ledger.statuses - before, ledger.refused[refused:]
        await proxy.go_on()
        await until(ledger.reached(len(ledger.acknowledged) + 100), load)
        load.cancel()
        await asyncio.wait([load])
        ledger.seconds = 0
        await ledger.resend(served.address)
        await drained(served)
        ledger.statuses, ledger.refused = meanwhile, reasons
        assert await asyncio.to_thread(served.stop) == 0
    exact(ledger, *await settled(address, ledger))
    return ledger


async def test_while_elasticsearch_is_away_clients_get_503_and_nothing_is_lost(
    tmp_path: Path, proxy: FaultProxy
) -> None:
    ledger = await away(write_project(tmp_path / "project"), proxy, seconds=10)
    assert ledger.statuses[503] > 0


async def test_with_a_spool_clients_get_200_while_elasticsearch_is_away(tmp_path: Path, proxy: FaultProxy) -> None:
    project = write_project(tmp_path / "project")
    (project / "headrace.yaml").write_text("spool: on\n")
    ledger = await away(project, proxy, seconds=10)
    assert (set(ledger.statuses), ledger.refused) == ({200}, [])


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("spool", ["on", "off"])
async def test_a_minute_without_elasticsearch(tmp_path: Path, proxy: FaultProxy, spool: str) -> None:
    project = write_project(tmp_path / "project")
    (project / "headrace.yaml").write_text(f"spool: {spool}\n")
    ledger = await away(project, proxy, seconds=60)
    assert (503 in ledger.statuses) is (spool == "off")
