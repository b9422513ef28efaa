"""Needs of a unit run that its driver meets before the run goes on."""

from collections.abc import Iterator

from msgspec import Struct

from engine.flow.machine import Machine
from engine.flow.run import IssuedAsk
from engine.profile.document import WaitStub
from engine.tracking.unit.waits import StoredWait


class PendingRun(Struct, frozen=True):
    """A machine that has asked something or is resting, with its first asks; `event` names its event in the unit."""

    machine: Machine
    asked: list[IssuedAsk]
    event: str


class AskedWaits(Struct):
    """Waits whose records are needed: the driver puts those that are stored into `found`, by the id of the stub."""

    stubs: tuple[WaitStub, ...]
    found: dict[str, StoredWait] = {}


AnyPending = PendingRun | AskedWaits | None  # None: the driver may do something else
Pending = Iterator[AnyPending]
