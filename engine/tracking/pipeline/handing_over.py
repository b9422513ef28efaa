"""Handing over: the rest of a unit in which a run has given its session to another person."""

from msgspec import structs

from engine.tracking.pipeline.loading import Loaded
from engine.tracking.unit.effects import UnitEffects
from engine.tracking.unit.event import UnitEvent
from engine.tracking.unit.request import UnitRequest
from engine.tracking.unit.sender import HandedOver, device_of


def following_unit(
    request: UnitRequest, loaded: Loaded, fresh: list[UnitEvent], effects: UnitEffects
) -> UnitRequest | None:
    """Return the rest of a unit in which a run has handed the session over, as the other person's."""
    given_up = effects.given_up
    if given_up is None or loaded.cached is None or loaded.acting_id is None:
        return None
    device = device_of(loaded.cached.profile, loaded.acting_id)
    intake, events = request.intake, request.events
    if effects.events:  # the duplicates and the rejected events are accounted for with those before
        intake, events = structs.replace(intake, rejected=()), tuple(fresh[given_up.place :])
    return structs.replace(
        request,
        intake=intake,
        events=events,
        seed=f"{request.seed}h",
        handed_over=HandedOver(device, given_up.to),
        given_up=given_up.results,
        given_up_open=given_up.open_to_all,
    )
