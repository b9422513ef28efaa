"""A server for all clients, and a proxy before it for each trial."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from itertools import product
from pathlib import Path
from uuid import uuid4

import pytest

from tests.clients.client import CLIENTS, MARKS, Client
from tests.clients.driving import Place
from tests.clients.faulty_proxy import FaultyProxy
from tests.clients.page_server import serving_pages
from tests.clients.served import Sender, Server, serving, write_project
from tests.clients.trial import Trial
from tests.servers.left_out import or_skipped

CASES = ("calls", "numbers", "more")
SENDERS = {f"{one.name}-{case}": Sender(one.kind, one.protocol) for one, case in product(CLIENTS, CASES)}
# Rakam's pages name no device in operations on a user: only trusted ones may.
SENDERS["rakam-page-more"] = Sender("public", "rakam", identify="trust")

Begin = Callable[[Client, str], Awaitable[Trial]]
"""Begins the trial of a client for one of the cases."""


def named(client: Client) -> str:
    """The name of a client, for the id of a test."""
    return client.name


@pytest.fixture(scope="session")
def pages() -> Iterator[str]:
    """The origin of the pages for clients of pages."""
    with serving_pages() as origin:
        yield origin


@pytest.fixture(scope="session")
def sqlite_server(pages: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a source for each client and case, on SQLite."""
    place = tmp_path_factory.mktemp("clients")
    with serving(write_project(place / "project", SENDERS, pages), f"sqlite:{place / 'store.db'}") as server:
        yield server


@pytest.fixture(scope="session")
def elasticsearch_server(
    elasticsearch_url: str, pages: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The same with two workers, on Elasticsearch."""
    place = tmp_path_factory.mktemp("clients")
    store = f"elasticsearch:{elasticsearch_url}?prefix=t-{uuid4().hex}"
    with serving(write_project(place / "project", SENDERS, pages), store, "--workers", "2") as server:
        yield server


@pytest.fixture
async def begin(request: pytest.FixtureRequest, pages: str, tmp_path: Path) -> AsyncIterator[Begin]:
    """Begins the trial of a client for a case; on SQLite, unless the test is parametrised with a server's fixture."""
    server = request.getfixturevalue(getattr(request, "param", "sqlite_server"))
    async with AsyncExitStack() as stack:

        async def begun(client: Client, case: str) -> Trial:
            with or_skipped(request.config, client.needs):
                client.command()
            proxy = await stack.enter_async_context(FaultyProxy(server.address, MARKS[client.protocol]))
            return Trial(client, f"{client.name}-{case}", server, proxy, Place(pages, tmp_path))

        yield begun
