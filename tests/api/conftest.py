from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from httpx import Request
from litestar import Litestar
from litestar.testing import AsyncTestClient

from api.app import create_app
from api.tracking.discovery import OWN, endpoints
from effects.scripted import ScriptedPerformer
from engine.project.project import Project
from storage.memory import MemoryStore

Serve = Callable[..., Any]

ADMIN_KEY = "the-key-of-the-tests"
FOREIGN = frozenset({address for endpoint in endpoints() for address in endpoint.addresses})
WITH_KEYS = tuple([address.partition("{")[0] for address in FOREIGN if "{" in address])


async def _add_key(request: Request) -> None:
    """Let a request read, unless it is one of a sender, who has no such key, or says its own key."""
    path = request.url.path
    if not (path.startswith(OWN + WITH_KEYS) or path.rstrip("/") in FOREIGN):
        request.headers.setdefault("authorization", f"Bearer {ADMIN_KEY}")


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """A function that serves a project from memory and returns a client for it, an administrator or a `stranger`."""
    async with AsyncExitStack() as stack:

        async def start(project: Project, *, stranger: bool = False, **more: Any) -> AsyncTestClient[Litestar]:
            more = {"admin_key": ADMIN_KEY, **more}
            store = more.pop("store", None) or MemoryStore()
            app = create_app(project, store, performer=ScriptedPerformer(), **more)
            client = await stack.enter_async_context(AsyncTestClient(app, base_url="http://127.0.0.1"))
            if not stranger:
                client.event_hooks = {"request": [_add_key]}
            return client

        yield start
