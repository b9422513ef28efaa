"""Plays recorded requests to webhooks, as a server would process them once it has verified them."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from engine.ports.script import NoScripts, Scripting, no_way_out
from engine.tracking.foreign.senders import grouping_steps
from engine.tracking.foreign.signature import Verified, unverified
from engine.tracking.foreign.translation import ForeignEvent
from engine.tracking.foreign.webhook import Delivery
from engine.tracking.pipeline.foreign_processing import ForeignProcessing
from engine.tracking.pipeline.tracker import Tracker
from engine.tracking.pipeline.webhook_reading import WebhookReading
from flows.recorded import RecordedRequest

PROTOCOL = "webhook"
Recordings = Mapping[str, tuple[RecordedRequest, ...]]


class Played(Struct, frozen=True):
    """The result of a request: the events that were made of it, and why others were rejected."""

    events: tuple[ForeignEvent, ...]
    errors: tuple[str, ...]


class RecordedWebhooks:
    """The webhooks of one project. Signatures are not looked at: a recorded one is too old, and needs the secret."""

    def __init__(self, tracker: Tracker, scripting: Scripting | None = None) -> None:
        self._tracker = tracker
        self._processing = ForeignProcessing(tracker, _Unbounded())
        scripting = scripting or Scripting(NoScripts(), no_way_out)
        self._reading = WebhookReading(tracker.pipeline.slices, scripting, _ignore)

    async def play(self, recorded: RecordedRequest) -> Played:
        """Store the events of a request. Raises `ScriptFailed` and `Unavailable`."""
        pipeline = self._tracker.pipeline
        delivery = self.delivery(recorded)
        source = pipeline.project.sources[delivery.webhook.source]
        translation = await self._reading.read(delivery)
        steps = grouping_steps(translation, source, PROTOCOL, pipeline.project.settings.keys)
        processed = await self._processing.process(await pipeline.slices.run(steps), source)
        events = tuple([event for event in translation.events if isinstance(event, ForeignEvent)])
        return Played(events, tuple([error.reason for error in processed.errors]))

    def delivery(self, recorded: RecordedRequest) -> Delivery:
        """Return a request as a verified delivery to the webhook that its address names."""
        pipeline = self._tracker.pipeline
        webhook = pipeline.project.webhooks[recorded.webhook or ""]
        proof = Verified(None) if webhook.check is None else unverified(webhook.check, recorded.request)
        return Delivery(
            webhook=webhook,
            request=recorded.request,
            now=pipeline.clock.now(),
            settings=pipeline.project.settings,
            id=proof.repeat_id,
            named_by_events=proof.covers_body,
            content_ids=pipeline.project.sources[webhook.source].deduplicate == "content",
        )


class _Unbounded:
    def take_slots(self, wanted: int) -> int:
        return wanted

    def return_slots(self, count: int) -> None:
        pass


def _ignore(*_: Any) -> None:
    """A test prints no lines of scripts."""
