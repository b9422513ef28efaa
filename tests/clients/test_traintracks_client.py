"""A page that sends as Traintracks' SDK does: what is stored is what was sent."""

from datetime import datetime

from tests.clients.client import TRAINTRACKS
from tests.clients.conftest import Begin
from tests.clients.samples import traintracks_event

(PAGE,) = TRAINTRACKS


async def test_every_event_is_stored_as_it_was_made(begin: Begin) -> None:
    trial = await begin(PAGE, "calls")
    calls = [
        traintracks_event(trial.source, "ann", "store_purchase", n=0, item={"name": "Excalibur", "price": 49.5}),
        traintracks_event(trial.source, "ann", "battle.won", n=1, foes=["Mordred"]),
        traintracks_event(trial.source, "bob", "battle.won", n=2),
    ]
    await trial.send(calls)
    stored = sorted(trial.events(), key=lambda event: event.properties["n"])
    for found, call in zip(stored, calls, strict=True):
        assert (found.type, found.properties) == (call["eventType"], call["data"])
        assert {name: found.context[name] for name in ("build", "device", "location")} == {
            name: call[name] for name in ("build", "device", "location")
        }
        assert found.time is not None
        assert (
            abs(datetime.fromisoformat(found.time) - datetime.fromisoformat(call["clientTimestamp"])).total_seconds()
            < 0.001
        )
    assert len(trial.persons(stored[:2])) == 1
    assert len(trial.persons(stored)) == 2
