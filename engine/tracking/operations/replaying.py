"""Replaying: kept runs run again, dry from their recordings, or a failed one for real in a unit of its own.

A *dry* replay reads the record of a run and the flow, and nothing else: no store is written, no system is asked.
A replay that is *applied* runs the flow as it is served now for the stored event, on the profile as it is now, with
look-ups of its own. The record of the kind `replays` is written with its unit by compare-and-set: of several that apply
the same run, at any time, in any process, one takes effect. Only a run that has failed may be applied, since its
effects were dropped; one that has finished would take effect twice.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from engine.flow.difference import Difference, differences, summary_of
from engine.flow.plan import Flow
from engine.flow.recording import RecordedRun, decoded_recording, replay
from engine.flow.rendering import render
from engine.language.hidden import HASH_KEYS
from engine.ports.ids import short_hash
from engine.ports.records import RunRecord
from engine.ports.replay import REPLAYS, RunReplay
from engine.ports.store import Contention, Unavailable
from engine.tracking.intake.payload import Intake, Options
from engine.tracking.pipeline.pipeline import Pipeline
from engine.tracking.unit.effects import run_id
from engine.tracking.unit.event import UnitEvent
from engine.tracking.unit.request import UnitRequest

SENT_AGAIN: Final = "its sender"  # who has done a run again, if its event was sent again
REDO_SECONDS: Final = 5.0  # that the runs of a request may take which are done again
SECONDS: Final = 60.0  # that a run which is applied may take

MAX_TRACES: Final = 200

Code = Literal["gone", "waited", "not failed", "applied", "no flow", "no event", "no source", "no recording"]


class NotReplayed(Exception):
    """A run that cannot be replayed. `code` says why, for programs; the text says it for people."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code = code


class DryReplay(Struct, frozen=True):
    """A run that has run again from its recording. `then` and `now` are outcomes; `differences` says what else differs.

    `unrecorded` are the nodes that asked what the recording has no reply to.
    """

    run: str
    flow: str
    event: str
    type: str
    at: int
    profile: str | None
    then: str
    now: str
    differences: tuple[Difference, ...] = ()
    unrecorded: tuple[str, ...] = ()
    reason: str = ""
    trace: dict[str, Any] = {}


class Applied(Struct, frozen=True):
    """A failed run that was done again: the id and the outcome of the new run."""

    run: str
    new_run: str
    outcome: str


def replay_dry(run: RunRecord, flow: Flow, hash_keys: Any = None) -> DryReplay:
    """Run a kept run again with a version of its flow. Raises `NotReplayed` if it has no recording."""
    recorded = recording_of(run)
    done = replay(flow, recorded, {HASH_KEYS: hash_keys} if hash_keys else None)
    after = render(done.trace, done.machine)
    if done.machine.outcome is None:
        after = {**after, "outcome": "paused"}
    before, after = msgspec.json.decode(run.trace), msgspec.json.decode(msgspec.json.encode(after))
    return DryReplay(
        run=run.id,
        flow=run.flow,
        event=run.event,
        type=run.type or "",
        at=run.at,
        profile=run.profile,
        then=run.outcome,
        now=summary_of(after).outcome,
        differences=tuple(differences(before, after)),
        unrecorded=done.unrecorded,
        reason=summary_of(after).reason,
        trace=after,
    )


def recording_of(run: RunRecord) -> RecordedRun:
    """Return the recording of a run. Raises `NotReplayed`."""
    try:
        recorded = decoded_recording(run.recording)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise NotReplayed("no recording", f"the recording of run {run.id} cannot be read: {error}") from error
    if recorded is None:
        why = "it had waited, was too large, or is of an earlier version of Headrace"
        raise NotReplayed("no recording", f"run {run.id} has no recording: {why}")
    return recorded


async def apply_replay(pipeline: Pipeline, run: RunRecord, by: str = "", seconds: float = SECONDS) -> Applied:
    """Do a failed run again, durably, once. `by` names the operator, `seconds` bounds its look-ups.

    Raises `NotReplayed` and `Unavailable`.
    """
    request = await _request(pipeline, run, by, seconds)
    try:
        await pipeline.process(request)
    except Contention:
        await _require_fresh(pipeline, run)
        raise
    again = request.replay
    assert again is not None  # noqa: S101  # `_request` has set it
    stored = await pipeline.store.record(REPLAYS, run.id)
    if stored is None or stored.by != again.by or stored.at != again.at:
        raise NotReplayed("applied", _applied_before(stored) if stored else f"run {run.id} was not done again")
    made = await pipeline.store.run(again.run)
    return Applied(run.id, again.run, made.outcome if made is not None else "not-triggered")


async def _request(pipeline: Pipeline, run: RunRecord, by: str, seconds: float) -> UnitRequest:
    """Return the unit that does a run again. Raises `NotReplayed` and `Unavailable`."""
    if run.outcome != "failed":
        raise NotReplayed(
            "not failed", f"run {run.id} is {run.outcome}: only a failed run is done again, for its effects"
        )
    if run.waited:
        raise NotReplayed("waited", f"run {run.id} had waited: what came before the wait has taken effect")
    await _require_fresh(pipeline, run)
    flow = next((each for each in pipeline.project.flows if each.name == run.flow), None)
    if flow is None:
        raise NotReplayed("no flow", f"the project has no flow `{run.flow}` now")
    source = pipeline.project.sources.get(run.source)
    if source is None:
        raise NotReplayed("no source", f"the project has no source `{run.source}` now")
    seed = short_hash("replay", run.id)
    again = RunReplay(
        id=run.id,
        run=run_id(run.event, flow.name, flow.version, seed),
        flow=flow.name,
        event=run.event,
        source=run.source,
        at=pipeline.clock.now(),
        by=by,
        profile=run.profile,
        session=run.session,
    )
    return UnitRequest(
        source=source,
        intake=Intake(
            source=run.source,
            profile=run.profile,
            profile_less=run.profile is None,
            sessionless=True,
            options=Options(),
        ),
        events=(await _event(pipeline, run),),
        now=again.at,
        seed=seed,
        deadline=pipeline.clock.ticks() + seconds,
        replies={},
        replay=again,
    )


async def _require_fresh(pipeline: Pipeline, run: RunRecord) -> None:
    stored = await pipeline.store.record(REPLAYS, run.id)
    if stored is not None:
        raise NotReplayed("applied", _applied_before(stored))


def _applied_before(stored: RunReplay) -> str:
    return f"run {stored.id} was done again before: see run {stored.run}"


async def _event(pipeline: Pipeline, run: RunRecord) -> UnitEvent:
    """Return the event of a run, from its recording or as it is stored. Raises `NotReplayed` and `Unavailable`."""
    recorded = decoded_recording(run.recording)
    stored = await pipeline.store.event(run.event)
    if recorded is not None:
        view = recorded.inputs.event
        properties, context, origin, occurred = view["properties"], view["context"], view["origin"], view["time"]
    elif stored is not None:
        properties, context, origin, occurred = stored.properties, stored.context, stored.origin, stored.occurred_at
    else:
        raise NotReplayed("no event", f"event {run.event} of run {run.id} is not stored, and the run has no recording")
    return UnitEvent(
        key=run.event,
        id=run.event,
        index=None,
        type=run.type or "",
        properties=properties,
        context=context,
        occurred=occurred,
        origin=origin,
        save=stored is not None,  # as are the events that it emits
    )


async def redo_failed(pipeline: Pipeline, events: Iterable[str]) -> None:
    """Do the failed runs of events again, each once: an event was sent again of which nothing had taken effect.

    A run that fails again may be done again when its event is sent again. While the store is away, nothing is done: the
    event is stored already, so its sender need not know.
    """
    began = pipeline.clock.ticks()
    try:
        for event in events:
            for run in await pipeline.store.runs_of(event):
                if run.alone and (left := began + REDO_SECONDS - pipeline.clock.ticks()) > 0:
                    with suppress(NotReplayed):
                        await apply_replay(pipeline, run, SENT_AGAIN, left)
    except Unavailable as away:
        pipeline.report(away)


# ---- several runs ---------------------------------------------------------------------------------------------------


class Refused(Struct, frozen=True):
    """A run that was not replayed, and why."""

    run: str
    code: Code
    reason: str


class TableRow(Struct, frozen=True):
    """How many runs had an outcome then and have another now; `differing` of them differ in any way."""

    then: str
    now: str
    count: int
    differing: int


class DryReport(Struct, frozen=True):
    """The dry replays of several runs: those that differ, a table of all, and those that were not replayed.

    `failed` are the ids of all that had failed and may be done again, whatever their recordings say. Only the first
    `MAX_TRACES` that differ have their traces.
    """

    replayed: int
    differing: tuple[DryReplay, ...]
    table: tuple[TableRow, ...]
    refused: tuple[Refused, ...] = ()
    failed: tuple[str, ...] = ()


class DryReplays:
    """Replays runs, one by one, and adds up the report. Pure: give it flows by name."""

    def __init__(self, flows: Mapping[str, Flow], hash_keys: Any = None) -> None:
        self._flows = flows
        self._hash_keys = hash_keys
        self._table: Counter[tuple[str, str]] = Counter()
        self._changed: Counter[tuple[str, str]] = Counter()
        self._differing: list[DryReplay] = []
        self._refused: list[Refused] = []
        self._failed: list[str] = []

    def add(self, run: RunRecord) -> DryReplay | None:
        """Replay a run. Returns what came of it; None if it was refused."""
        flow = self._flows.get(run.flow)
        if run.outcome == "failed" and not run.waited:
            self._failed.append(run.id)
        try:
            if flow is None:
                raise NotReplayed("no flow", f"there is no flow `{run.flow}` now")
            done = replay_dry(run, flow, self._hash_keys)
        except NotReplayed as refused:
            self._refused.append(Refused(run.id, refused.code, str(refused)))
            return None
        pair = done.then, done.now
        self._table[pair] += 1
        if done.differences:
            self._changed[pair] += 1
            shown = done if len(self._differing) < MAX_TRACES else msgspec.structs.replace(done, trace={})
            self._differing.append(shown)
        return done

    def report(self) -> DryReport:
        """Return the report of all runs so far."""
        rows = [
            TableRow(then, now, count, self._changed[then, now]) for (then, now), count in self._table.most_common()
        ]
        return DryReport(
            sum(self._table.values()), tuple(self._differing), tuple(rows), tuple(self._refused), tuple(self._failed)
        )
