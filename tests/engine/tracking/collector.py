"""A tracker over a store, as tests use it: payloads in, answers out, no HTTP."""

from typing import Any

import msgspec

from effects.clock import ManualClock
from effects.ids import new_id
from effects.scripted import ScriptedPerformer
from engine.ports.ids import cause_of
from engine.ports.store import Store
from engine.ports.world import Performer
from engine.profile.document import LinkKind
from engine.profile.linking import key_link
from engine.project.project import Project
from engine.tracking.intake.admission import admit, credential_matches
from engine.tracking.intake.payload import read_track
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.pipeline.tracker import Tracker


async def holder(store: Store, kind: LinkKind, path: str, value: str) -> str | None:
    """Return the id to which a key leads, for those who prove it or for those who claim it."""
    key = await store.key(key_link(cause_of(await store.secret(), path, value), kind))
    return None if key is None else key.id


class Collector:
    """One engine over a store."""

    def __init__(
        self, project: Project, store: Store, performer: Performer | None = None, keys: dict[str, str] | None = None
    ) -> None:
        self.keys = keys or {}  # of secret sources
        self.clock = ManualClock()
        self.pipeline = Pipeline(project, store, performer or ScriptedPerformer(), self.clock, new_id)
        self.tracker = Tracker(self.pipeline)
        self.store = store

    async def track(
        self, body: dict[str, Any], *, profile_less: bool = False, debug: bool | str = True
    ) -> dict[str, Any]:
        """The answer of `/track` to `body`, with the debugger on."""
        if not self.pipeline.loading.secret:
            await self.tracker.start()
        body = {**body, "options": {"debugger": debug, **body.get("options", {})}}
        intake = read_track(msgspec.json.encode(body), profile_less=profile_less)
        source = admit(self.pipeline.project.sources, intake.source, self.keys.get(intake.source), None)
        answer = await self.tracker.track(credential_matches(intake, source, self.clock.now()), source)
        return msgspec.json.decode(msgspec.json.encode(answer.body))

    async def profile(self, id: str) -> dict[str, Any]:
        """The shown profile that an id leads to."""
        from engine.profile.fold import fold
        from engine.profile.profile_view import profile_view

        profile = await self.store.profile(id)
        assert profile is not None, f"no profile has the id {id}"
        return msgspec.json.decode(msgspec.json.encode(profile_view(profile, fold(profile))))
