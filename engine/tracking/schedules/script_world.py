"""The world of one run of a task's script: what it keeps, and the events that it stores."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from engine.flow.run_state import MAX_STATE
from engine.ports.script import Fetch, ScriptFailed, ScriptRequest, ScriptResponse

MAX_EVENTS: Final = 10_000  # of one run
MAX_BYTES: Final = 16_777_216  # of these events, as JSON

_encode = msgspec.json.Encoder().encode
_REMEDY: Final = "keep a cursor with config.set, and store the others in the next run"


class TaskWorld:
    """The values that a run reads and changes, and its events. Nothing of it is stored before the run has ended.

    `values` begin as earlier runs have left them. `events` are the texts of the events, as JSON.
    """

    def __init__(self, fetch: Fetch, values: Mapping[str, Any]) -> None:
        self._fetch = fetch
        self.values = dict(values)
        self.events: list[bytes] = []
        self._bytes = 0

    async def fetch(self, request: ScriptRequest) -> ScriptResponse:
        """Answer a request through the target that its address belongs to. Raises `ScriptFailed`."""
        return await self._fetch(request)

    async def state(self, name: str) -> Any:
        """Return what this run or an earlier one has kept under a name; None if nothing."""
        return self.values.get(name)

    async def keep(self, name: str, value: Any, *, only_new: bool = False) -> None:
        """Keep a value, or only if there is none yet; null removes it. Raises `ScriptFailed` for too much."""
        if only_new and name in self.values:
            return
        changed = {**self.values, name: value}
        if value is None:
            del changed[name]
        if (size := len(_encode(changed))) > MAX_STATE:
            raise ScriptFailed(f"config would have {size:,} bytes as JSON: at most {MAX_STATE:,}")
        self.values = changed

    async def store_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Take events, each `{collection, properties}`. Raises `ScriptFailed` for too many."""
        if len(self.events) + len(events) > MAX_EVENTS:
            raise ScriptFailed(f"a run stores at most {MAX_EVENTS:,} events: {_REMEDY}")
        texts = [_encode(event) for event in events]
        self._bytes += sum(map(len, texts))
        if self._bytes > MAX_BYTES:
            raise ScriptFailed(f"the events of a run have at most {MAX_BYTES:,} bytes as JSON: {_REMEDY}")
        self.events += texts
