"""A unit whose documents keep moving is tried again after pauses."""

import pytest

from engine.ports.store import Conflict, Contention
from engine.tracking.pipeline import pipeline
from engine.tracking.pipeline.pipeline import BACKOFF, _pause
from storage.memory import MemoryStore
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.pipeline.test_profile_queue import COUNT, GatedStore
from tests.projects import payload, project


class RecordedBackoff:
    """A back-off without pauses that records for which numbers of failures it was used."""

    def __init__(self) -> None:
        self.failures: list[int] = []

    def pause(self, failures: int, chance: float) -> float:
        self.failures.append(failures)
        return 0


@pytest.mark.parametrize("attempts", [1, 3])
async def test_a_unit_pauses_between_its_attempts_and_not_after_the_last_one(
    monkeypatch: pytest.MonkeyPatch, attempts: int
) -> None:
    backoff = RecordedBackoff()
    monkeypatch.setattr(pipeline, "MAX_ATTEMPTS", attempts)
    monkeypatch.setattr(pipeline, "BACKOFF", backoff)
    gate = GatedStore(MemoryStore())
    gate.open.set()
    gate.failures = [Conflict("profile", "p") for _ in range(attempts)]
    with pytest.raises(Contention):
        await Collector(project(COUNT), gate).track(payload("hit"))
    assert len(gate.units) == attempts
    assert backoff.failures == list(range(1, attempts))


def test_every_pause_is_longer_than_none_and_at_most_the_longest() -> None:
    pauses = [_pause(f"seed-{n}", failures) for n in range(2000) for failures in range(1, 25)]
    assert min(pauses) >= BACKOFF.first / 2
    assert max(pauses) <= BACKOFF.longest
