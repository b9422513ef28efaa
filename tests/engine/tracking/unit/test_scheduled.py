import pytest
from msgspec import structs

from engine.tracking.unit.scheduled import Firing, fired_event, firing_seed, not_fired
from tests.storage.build import profile

SECRET = b"of the store"
FIRING = Firing("offers", due=1_000, segment="VIP")


@pytest.mark.parametrize(
    ("fired", "segments", "reason"),
    [
        pytest.param({}, ("VIP",), "", id="a member"),
        pytest.param({"offers": 999}, ("VIP",), "", id="one that has had an earlier due time"),
        pytest.param({"other": 1_000}, ("VIP",), "", id="one that has had another task"),
        pytest.param({"offers": 1_000}, ("VIP",), "the flow has run", id="one that has had it"),
        pytest.param({"offers": 1_001}, ("VIP",), "the flow has run", id="one that has had a later due time"),
        pytest.param({}, ("new",), "is not in `VIP`", id="one that has left the segment"),
    ],
)
def test_a_flow_runs_once_for_each_member(fired: dict[str, int], segments: tuple[str, ...], reason: str) -> None:
    found = not_fired(FIRING, structs.replace(profile("p"), fired=fired), segments)
    assert reason in found
    assert bool(found) == bool(reason)


def test_the_units_of_a_firing_have_ids_of_their_own_and_the_same_in_every_process() -> None:
    firings = [FIRING, structs.replace(FIRING, due=1_001), structs.replace(FIRING, task="other")]
    names = {(firing_seed(SECRET, each, id), fired_event(each, id).id) for each in firings for id in ("p-1", "p-2")}
    assert len({seed for seed, _ in names}) == len({id for _, id in names}) == 6
    assert firing_seed(SECRET, structs.replace(FIRING, missed=3), "p-1") == firing_seed(SECRET, FIRING, "p-1")


def test_the_same_flow_on_another_store_has_other_ids() -> None:
    assert firing_seed(SECRET, FIRING) != firing_seed(b"of another store", FIRING)
