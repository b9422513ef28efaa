"""The run that a unit resumes, with all that was read for it. Pure."""

from typing import Literal

from msgspec import Struct, json

from engine.flow.paused import PausedRun
from engine.flow.plan import Flow
from engine.ports.ids import short_hash
from engine.ports.waiting_run import Arrival, WaitingRun
from engine.profile.document import Profile, WaitStub
from engine.tracking.unit.event import UnitEvent

FRESH_MS = 60_000  # after a wait of this length, the depth of the events that emit one another begins again

_decode = json.Decoder(PausedRun).decode


class Resumed(Struct, frozen=True):
    """The run to resume.

    `record` is None when it is lost. Without a `flow`, the run ends with `outcome` and `reason`. `postponed_to` (ms)
    says that the run is not resumed yet, since its unit has conflicted too often.
    """

    stub: WaitStub
    record: WaitingRun | None = None
    arrival: Arrival | None = None
    flow: Flow | None = None
    outcome: Literal["failed", "cancelled"] = "failed"
    reason: str = ""
    postponed_to: int | None = None

    @property
    def seed(self) -> str:
        """The seed of the unit: the same in every process that tries."""
        return short_hash("resumed", self.stub.run, str(self.stub.n))

    def stub_in(self, profile: Profile, at: int) -> WaitStub | None:
        """Return the stub of the run, as a profile has it; None when it is not ripe at `at` (ms), or not there."""
        found = next((stub for stub in profile.waits if stub.id == self.stub.id), None)
        return found if found is not None and (found.arrived or found.due <= at) else None

    def paused(self) -> PausedRun | None:
        """Return the run as a value."""
        return _decode(self.record.run) if self.record is not None else None

    def event(self) -> UnitEvent:
        """Return the run's event, without the time at which it occurred: what the run emits from now on occurs now."""
        paused, record = self.paused(), self.record
        if paused is None or record is None:
            return UnitEvent(key=self.stub.run, id=self.stub.run, index=None, type="", properties={}, context={})
        view = paused.event
        return UnitEvent(
            key=view["id"],
            id=view["id"],
            index=None,
            type=view["type"],
            properties=view["properties"],
            context=view["context"],
            origin=view["origin"],
            depth=0 if self.stub.due - record.at >= FRESH_MS else record.depth,
            save=record.save,
        )
