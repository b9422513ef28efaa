"""Reading a delivery to a webhook: by its mappings in time slices, or by its script in a process of its own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.ports.script import Fetch, ScriptFailed, Scripting, ScriptLine, ScriptRequest, ScriptResponse
from engine.project.script import Script
from engine.project.webhook import FUNCTION, ScriptedEvents
from engine.tracking.foreign.translation import Translation
from engine.tracking.foreign.webhook import Delivery, translation_steps, unread
from engine.tracking.foreign.webhook_script import LIMIT_MS, arguments_of, result_steps
from engine.tracking.pipeline.time_slices import TimeSlices

Report = Callable[[str, Sequence[ScriptLine]], None]  # of the lines that a call has logged, without secrets


class WebhookWorld:
    """The world of one call. It fetches through targets; it keeps nothing, and its events are what it returns."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    async def fetch(self, request: ScriptRequest) -> ScriptResponse:
        """Answer a request through the target that its address belongs to. Raises `ScriptFailed`."""
        return await self._fetch(request)

    async def state(self, name: str) -> Any:
        """Return None: no call has kept anything."""
        return None

    async def keep(self, name: str, value: Any, *, only_new: bool = False) -> None:
        """Keep nothing. Raises `ScriptFailed`."""
        raise ScriptFailed("a webhook keeps nothing between its calls: write what it needs under `params`")

    async def store_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Take no events. Raises `ScriptFailed`."""
        raise ScriptFailed("a webhook returns its events: eventStore is there for tasks")


class WebhookReading:
    """Reads the deliveries of one process. `report` gets the lines of each call with the name of its webhook."""

    def __init__(self, slices: TimeSlices, scripting: Scripting, report: Report) -> None:
        self._slices = slices
        self._scripting = scripting
        self._report = report

    async def read(self, delivery: Delivery) -> Translation:
        """Return the events of a delivery. Raises `ScriptFailed`, and `Refusal` for what a script must not return."""
        reading = delivery.webhook.reading
        if not isinstance(reading, ScriptedEvents):
            return await self._slices.run(translation_steps(delivery))
        if (without := unread(delivery)) is not None:
            return without
        result = await self._run(delivery, reading.script)
        return await self._slices.run(result_steps(delivery, result))

    async def _run(self, delivery: Delivery, script: Script) -> Any:
        """Return what a call of the script returns. Raises `ScriptFailed`."""
        name, arguments = delivery.webhook.name, arguments_of(delivery, script)
        try:
            result = await self._scripting.runner.run(
                script, FUNCTION, arguments, WebhookWorld(self._scripting.way_out(script)), LIMIT_MS
            )
        except ScriptFailed as failed:
            self._report(name, _without_secrets(script, failed.log))
            raise type(failed)(script.without_secrets(failed.reason)) from None
        self._report(name, _without_secrets(script, result.log))
        return result.value


def _without_secrets(script: Script, log: Sequence[ScriptLine]) -> list[ScriptLine]:
    return [ScriptLine(line.level, script.without_secrets(line.text)) for line in log]
