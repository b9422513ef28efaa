"""A world of scripts that keeps everything in memory."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from engine.ports.script import ScriptFailed, ScriptRequest, ScriptResponse


class MemoryWorld:
    """Answers every request by what it was, but refuses the path /nowhere; keeps values and events."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.events: list[Mapping[str, Any]] = []
        self.requests: list[ScriptRequest] = []
        self.asked = asyncio.Event()  # for a value

    async def fetch(self, request: ScriptRequest) -> ScriptResponse:
        self.requests.append(request)
        if request.url.endswith("/nowhere"):
            raise ScriptFailed("no target has this address")
        return ScriptResponse(200, request.url)

    async def state(self, name: str) -> Any:
        self.asked.set()
        return self.values.get(name)

    async def keep(self, name: str, value: Any, *, only_new: bool = False) -> None:
        if not only_new or name not in self.values:
            self.values[name] = value

    async def store_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        self.events += events
