"""Real Elasticsearch servers for the tests: a fixture each for 9.x, for 8.x, and for a cluster of three.

A server starts when the first test asks for it, and once per run. Where Java or Maven is missing, the tests that need
it are skipped and the end of the run says so; on CI, and with `HEADRACE_SERVERS=required`, that is an error instead.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.servers.account import Account
from tests.servers.distribution import JAVA, unpacked
from tests.servers.java import java_home
from tests.servers.left_out import or_skipped
from tests.servers.node import Node, free

_NINE, _EIGHT = JAVA


class Cluster:
    """Three nodes on loopback; an index has one replica unless it says otherwise."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    @property
    def urls(self) -> list[str]:
        """Where the nodes answer, in their order; a killed node keeps its place and comes back there."""
        return [node.url for node in self.nodes]

    def kill(self, number: int) -> None:
        """End one node at once, as by `kill -9`."""
        self.nodes[number].kill()

    def start(self, number: int) -> None:
        """Start a killed node again, with the data and the address that it had."""
        self.nodes[number].start()

    def restore(self) -> None:
        """Start what was killed and wait until all shards are where they belong."""
        for node in self.nodes:
            if node.process is None:
                node.start()
        self.wait()

    def wait(self, *, status: str = "green", nodes: int = 3) -> None:
        """Wait until the cluster has this many nodes and at least this health."""
        next(node for node in self.nodes if node.process is not None).wait(status=status, nodes=str(nodes))


class Servers:
    """Starts servers in a directory of this run and ends them all at its end."""

    def __init__(self) -> None:
        self.account = Account()
        self.runs = self.account.scratch() / "runs"
        self.runs.mkdir(exist_ok=True)
        self._sweep()
        self.place = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=self.runs))
        self.place.chmod(0o755)
        self.nodes: list[Node] = []

    def single(self, version: str) -> Node:
        """One server of this version, alone."""
        node = self._node(version, f"single-{version}", {"discovery.type": "single-node"})
        node.start()
        node.wait()
        return node

    def cluster(self, version: str) -> Cluster:
        """Three nodes of this version that found each other."""
        names = [f"node-{number}" for number in range(3)]
        settings: dict[str, object] = {
            "cluster.name": "three",
            "cluster.initial_master_nodes": names,
            "discovery.seed_hosts": [],
            "discovery.seed_providers": "file",
        }
        nodes = [self._node(version, name, settings) for name in names]
        for node in nodes:
            node.launch()
        addresses = "\n".join(node.transport for node in nodes)
        for node in nodes:  # they read the file at each try to find each other
            seeds = node.place / "config" / "unicast_hosts.txt"
            seeds.write_text(addresses)
            self.account.own(seeds)
        nodes[0].wait(nodes="3")
        return Cluster(nodes)

    def end(self) -> None:
        """Kill all servers and remove their data."""
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self.place)

    def _node(self, version: str, name: str, settings: Mapping[str, object]) -> Node:
        java = java_home(JAVA[version], self.account)
        home = unpacked(version, self.account.cache())
        place = self.place / name
        place.mkdir()
        node = Node(home, java, place, settings, self.account)
        self.nodes.append(node)
        return node

    def _sweep(self) -> None:
        """Remove what killed runs of the tests left behind, unless a process still works there."""
        for run in self.runs.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if not _running(int(run.name.partition("-")[0])) and all(
                    free(log) for log in run.glob("*/console.log")
                ):
                    shutil.rmtree(run)


def _running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Starts servers; ends them with the session."""
    servers = Servers()
    try:
        yield servers
    finally:
        servers.end()


@pytest.fixture(scope="session")
def elasticsearch_node(servers: Servers, pytestconfig: pytest.Config) -> Node:
    """An Elasticsearch 9 with one node."""
    with or_skipped(pytestconfig, "Elasticsearch 9"):
        return servers.single(_NINE)


@pytest.fixture(scope="session")
def elasticsearch_url(elasticsearch_node: Node) -> str:
    """The address of an Elasticsearch 9 with one node."""
    return elasticsearch_node.url


@pytest.fixture(scope="session")
def elasticsearch_8_url(servers: Servers, pytestconfig: pytest.Config) -> str:
    """The address of an Elasticsearch 8 with one node."""
    with or_skipped(pytestconfig, "Elasticsearch 8"):
        return servers.single(_EIGHT).url


@pytest.fixture(scope="session")
def _three_nodes(servers: Servers, pytestconfig: pytest.Config) -> Cluster:
    with or_skipped(pytestconfig, "Elasticsearch 9, three nodes"):
        return servers.cluster(_NINE)


@pytest.fixture
def elasticsearch_cluster(_three_nodes: Cluster) -> Iterator[Cluster]:
    """Three nodes of Elasticsearch 9, all of them up at the start of each test."""
    yield _three_nodes
    _three_nodes.restore()
