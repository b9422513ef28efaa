"""The states to which one attempt at a unit comes: see `Pipeline`."""

from typing import Final

from msgspec import Struct

from engine.tracking.answer.outcome import UnitResult
from engine.tracking.pipeline.profile_queue import PendingCommit
from engine.tracking.unit.request import UnitRequest


class Enqueued(Struct, frozen=True):
    """A unit that has run and whose commit is ordered, with the result that counts once it is stored.

    `following` is the rest of its events, if a run has handed the session over to another person.
    """

    result: UnitResult
    pending: PendingCommit
    following: UnitRequest | None = None


class Finished(Struct, frozen=True):
    """A unit that is stored, or has nothing to store. Without a `result` all its events are in `following`."""

    result: UnitResult | None
    following: UnitRequest | None = None


class ProfileMoved(Struct, frozen=True):
    """A unit that has not run, since its profile has another id by now."""

    result: None = None
    following: None = None


Attempt = Enqueued | Finished | ProfileMoved

PROFILE_MOVED: Final = ProfileMoved()
