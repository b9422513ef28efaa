"""Types of the fixtures in `conftest.py`, for annotations."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from effects.http import HttpPerformer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Handler], Awaitable[str]]
RawHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ServeRaw = Callable[[RawHandler], Awaitable[str]]
Perform = Callable[..., HttpPerformer]
