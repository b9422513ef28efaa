"""The answer to a unit of which no event is new: that of the first time, as far as it is stored."""

from collections.abc import Iterable

from engine.ports.records import ProcessedEvent, RunRecord
from engine.ports.store import Reads
from engine.profile.linking import all_own
from engine.tracking.answer.outcome import FirstTime, UnitResult, repeat_result
from engine.tracking.intake.admission import authority
from engine.tracking.pipeline.loading import Loaded, Loading
from engine.tracking.unit.cache import CachedProfile
from engine.tracking.unit.ledger import Counted
from engine.tracking.unit.repeat import Marks, is_certainly_own
from engine.tracking.unit.request import UnitRequest


async def answer_repeat(
    store: Reads, loading: Loading, request: UnitRequest, loaded: Loaded, marks: Marks, counted: Counted
) -> UnitResult:
    """Return the result of a unit of which no event is new; `marks` are of those that are the sender's own.

    Raises `Unavailable`.
    """
    intake, source = request.intake, request.source
    trusted, profile = authority(source) == "trust", loaded.cached.profile if loaded.cached is not None else None
    first = {index: mark for index, mark in marks.items() if is_certainly_own(mark, request, loaded.acting_id, profile)}
    answered = next(iter(first.values())).profile if first else profile.id if trusted and profile else loaded.acting_id
    answered = None if intake.profile_less else answered
    known = await _known(loading, loaded, answered, request.now) if first else None
    runs = await _runs(store, first) if intake.options.debugger and source.debugger else {}
    read_others = any(run.other_profiles for of_event in runs.values() for run in of_event)
    own = known is None or all_own(known.profile, loaded.acting_id or "")
    time = FirstTime(answered, marks, known, runs, open_to_all=trusted or (own and not read_others))
    return repeat_result(request, time, counted)


async def _known(loading: Loading, loaded: Loaded, id: str | None, now: int) -> CachedProfile | None:
    """Return the stored profile to which an answered id leads."""
    if id is None:
        return None
    if loaded.cached is not None and id in loaded.cached.profile.ids:
        return loaded.cached if loaded.cached.profile.version else None
    return await loading.stored(id, now)


async def _runs(store: Reads, marks: Marks) -> dict[int, list[RunRecord]]:
    """Return the stored runs of events, by index."""
    return {index: list(_of_the_same_unit(await store.runs_of(mark.event), mark)) for index, mark in marks.items()}


def _of_the_same_unit(runs: Iterable[RunRecord], mark: ProcessedEvent) -> Iterable[RunRecord]:
    """Yield the runs of the unit in which an event took effect; another source may have an event with the same id."""
    return (run for run in runs if (run.source, run.at) == (mark.source, mark.at))
