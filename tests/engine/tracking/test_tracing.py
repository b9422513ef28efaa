"""The switches of full tracing: which runs they mean, and how they are kept."""

from typing import Any

import pytest

from engine.tracking.tracing import MAX_SWITCHES, Switch, TooManySwitches, switch_off, switch_on, switches
from storage.memory import MemoryStore


def switch(id: str = "s", until: int = 100, **names: Any) -> Switch:
    return Switch(id, until, **names)


@pytest.mark.parametrize(
    ("names", "means"),
    [
        ({"flow": "order"}, True),
        ({"flow": "other"}, False),
        ({"type": "order-placed"}, True),
        ({"type": "order"}, False),
        ({"session": "s-1"}, True),
        ({"session": ""}, True),
        ({"session": "s-2"}, False),
        ({"profile": "p-1"}, True),
        ({"profile": "p-2"}, True),
        ({"profile": "p-3"}, False),
        ({"flow": "order", "type": "order-placed", "profile": "p-2", "session": "s-1"}, True),
        ({"flow": "order", "type": "order-placed", "profile": "p-3", "session": "s-1"}, False),
    ],
    ids=str,
)
def test_a_switch_means_the_runs_for_which_all_its_names_fit(names: dict[str, str], *, means: bool) -> None:
    assert switch(**names).means("order", "order-placed", "s-1", ["p-1", "p-2"]) is means


async def test_switches_end_by_themselves() -> None:
    store = MemoryStore()
    await switch_on(store, switch("a", 100, flow="x"), 0)
    await switch_on(store, switch("b", 200, flow="x"), 0)
    assert [[each.id for each in await switches(store, now)] for now in (99, 100, 200)] == [["a", "b"], ["b"], []]


async def test_a_switch_is_taken_away_once() -> None:
    store = MemoryStore()
    await switch_on(store, switch("a", flow="x"), 0)
    assert [await switch_off(store, id, 0) for id in ("b", "a", "a")] == [False, True, False]
    assert await switches(store, 0) == ()


async def test_so_many_switches_are_on_at_a_time_and_one_that_has_ended_makes_room() -> None:
    store = MemoryStore()
    for number in range(MAX_SWITCHES):
        await switch_on(store, switch(str(number), 100 + number, flow="x"), 0)
    with pytest.raises(TooManySwitches, match="switch one off"):
        await switch_on(store, switch("more", flow="x"), 0)
    await switch_on(store, switch("more", 200, flow="x"), 100)
    assert len(await switches(store, 100)) == MAX_SWITCHES
