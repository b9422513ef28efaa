from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from api.app import create_app
from effects.scripted import ScriptedPerformer
from engine.project.project import Project
from storage.memory import MemoryStore

Serve = Callable[..., Any]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """A function that serves a project from memory and returns a client for it."""
    async with AsyncExitStack() as stack:

        async def start(project: Project, **more: Any) -> AsyncTestClient[Litestar]:
            app = create_app(project, MemoryStore(), performer=ScriptedPerformer(), **more)
            return await stack.enter_async_context(AsyncTestClient(app, base_url="http://127.0.0.1"))

        yield start
