"""Real HTTP servers, on ports that the system picks, and performers that call them."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from effects.http import HttpPerformer
from engine.project.source import Target
from tests.effects.http_server import Handler, Perform, RawHandler, Serve, ServeRaw


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """A function that starts a server with one handler for all requests and returns its address."""
    servers: list[TestServer] = []

    async def start(handler: Handler) -> str:
        app = web.Application(handler_args={"shutdown_timeout": 0.1})
        app.router.add_route("*", "/{tail:.*}", handler)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        return str(server.make_url("/")).rstrip("/")

    yield start
    for server in servers:
        await server.close()


@pytest.fixture
async def serve_raw() -> AsyncIterator[ServeRaw]:
    """A function that starts a server that sends raw bytes, also invalid HTTP, and returns its address."""
    servers: list[asyncio.Server] = []

    async def start(handler: RawHandler) -> str:
        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.readuntil(b"\r\n\r\n")
                await handler(reader, writer)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(once, "127.0.0.1", 0)
        servers.append(server)
        host, port = server.sockets[0].getsockname()
        return f"http://{host}:{port}"

    yield start
    for server in servers:
        server.close()


@pytest.fixture
async def performer() -> AsyncIterator[Perform]:
    """A function that makes a performer with one target, `crm`, which is private by default. The fixture closes it."""
    made: list[HttpPerformer] = []

    def make(
        url: str,
        *,
        private: bool = True,
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 1_048_576,
        redirects: int = 0,
    ) -> HttpPerformer:
        target = Target(url=url, private=private, headers=dict(headers or {}), max_bytes=max_bytes, redirects=redirects)
        made.append(HttpPerformer({"crm": target}))
        return made[-1]

    yield make
    for each in made:
        await each.close()
