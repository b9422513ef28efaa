"""A firing for all profiles of a segment: each member once, whatever happens to processes and profiles meanwhile."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from engine.ports.kinds import EVENTS
from engine.ports.records import ProfileWrite, Unit
from engine.ports.store import Store, Unavailable
from engine.search.query import Query
from engine.tracking.operations.forgetting import Forgetter
from engine.tracking.schedules import fan_out
from tests.engine.tracking.conftest import Opener
from tests.engine.tracking.schedules.process import COUNTING, MINUTE, SECOND, Process, started
from tests.engine.tracking.unavailable_store import AwayStore
from tests.projects import payload, project

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
GREETING = """
    flow: greeting
    trigger: {every: 10m, for: segment vip}
    nodes:
      note: {profile.append: {"traits.fired": "{{ event.properties.due }}"}, next: say}
      say: {event.emit: {type: greeted, properties: {who: "{{ profile.traits.name }}"}}}
"""
JOINING = """
    flow: joining
    trigger: {event: joined}
    nodes:
      name: {profile.set: {traits.name: "{{ event.properties.name }}"}, next: [key, vip]}
      key: {profile.merge: {pii.email: "{{ event.properties.email | default('none@example.com') }}"}, when: event.properties.email}
      vip: {segment.add: vip, when: event.properties.vip}
"""  # noqa: E501
LEAVING = "flow: leaving\ntrigger: {event: left}\nnodes: {out: {segment.remove: vip}}\n"
PROJECT = project(GREETING, JOINING, LEAVING, segments={"vip": None})


async def greeting(store: Store, holder: str = "a", now: int = START) -> Process:
    return await started(PROJECT, store, holder, now)


async def join(process: Process, name: str, **properties: Any) -> str:
    """A profile with a name; a member of `vip` unless `vip` is false."""
    event = {"type": "joined", "properties": {"name": name, "vip": True, **properties}}
    answer = await process.track(payload(event, session=f"s-{name}"))
    return str(answer["profile"]["id"])


async def greeted(process: Process) -> list[str]:
    """The names for which the flow has run."""
    page = await process.store.search(Query(EVENTS.searchable), 1000)
    return sorted(event.properties["who"] for event in page.items if event.type == "greeted")  # type: ignore[attr-defined]


async def fire(process: Process, ms: int = 10 * MINUTE + 10 * SECOND) -> None:
    await process.turn(ms)


async def test_the_flow_runs_for_the_members_and_no_others(store: Store) -> None:
    process = await greeting(store)
    for name in ("ann", "bob"):
        await join(process, name)
    other = await join(process, "eve", vip=False)
    await fire(process)
    assert await greeted(process) == ["ann", "bob"]
    task = await process.task("greeting")
    assert [(r.outcome, r.reason) for r in task.log] == [("finished", "ran for 2 profiles")]
    assert (task.last, task.next, task.place) == (START + 10 * MINUTE, START + 20 * MINUTE, None)
    assert "fired" not in (await process.profile(other))["traits"]


async def test_it_waits_until_every_search_finds_who_was_a_member(store: Store) -> None:
    process = await greeting(store)
    await join(process, "ann")
    await fire(process, 10 * MINUTE + 9 * SECOND)
    assert await greeted(process) == []
    await fire(process, SECOND)
    assert await greeted(process) == ["ann"]


async def test_what_a_profile_has_had_of_flows_that_are_gone_is_not_kept_for_ever(store: Store) -> None:
    process = await greeting(store)
    ann = await join(process, "ann")
    old, recent = START - 40 * 24 * 60 * MINUTE, START - MINUTE
    known = await process.store.profile(ann)
    assert known is not None
    changed = structs.replace(known, version=known.version + 1, fired={"gone": old, "gone-lately": recent})
    await process.store.commit(Unit(profiles=(ProfileWrite(changed, known.version),)))
    await fire(process)
    stored = await process.store.profile(ann)
    assert stored is not None
    assert stored.fired == {"gone-lately": recent, "greeting": START + 10 * MINUTE}


async def test_each_due_time_comes_to_each_member_once(store: Store) -> None:
    process = await greeting(store)
    id = await join(process, "ann")
    for _ in range(3):
        await fire(process, 10 * MINUTE + 10 * SECOND)
    due = [START + minutes * MINUTE for minutes in (10, 20, 30)]
    assert (await process.profile(id))["traits"]["fired"] == due


async def test_a_firing_is_no_visit(store: Store) -> None:
    process = await greeting(store)
    id = await join(process, "ann")
    before = (await process.profile(id))["metadata"]
    await fire(process)
    after = (await process.profile(id))["metadata"]
    assert (after["last_seen"], after["visits"]) == (before["last_seen"], before["visits"])


async def test_who_has_left_meanwhile_is_left_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    process = await greeting(store)
    await join(process, "ann")
    id = await join(process, "bob")
    page = await process.store.search(Query(fan_out.PROFILES), 10)
    await process.track(payload("left", session="s-bob"))
    version = (await process.profile(id))["metadata"]["version"]

    async def stale(*_: Any) -> Any:
        return structs.replace(page, after=None)

    monkeypatch.setattr(process.pipeline.store, "search", stale)
    process.clock.advance(10 * MINUTE + 10 * SECOND)
    await process.scheduler.turn()
    await process.scheduler.settled()
    monkeypatch.undo()
    assert await greeted(process) == ["ann"]
    assert (await process.profile(id))["metadata"]["version"] == version  # nothing was written for it


async def test_a_process_that_dies_is_followed_by_one_that_goes_on(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first process loses its store in the middle of the second page; the other repeats that page."""
    monkeypatch.setattr(fan_out, "PAGE", 4)
    dying = DyingStore(opened(), after=6)
    a = await started(PROJECT, dying, "a", START)  # type: ignore[arg-type]  # it has all methods
    a.pipeline.report = lambda failure: None
    names = [f"p{i}" for i in range(10)]
    for name in names:
        await join(a, name)
    dying.armed = True
    await fire(a)
    assert 4 <= len(await greeted(a)) < 10
    b = await greeting(opened(), "b", START + 11 * MINUTE)
    task = await b.task("greeting")
    assert task.place is not None
    await fire(b, 0)
    await fire(b, 15 * SECOND)
    assert await greeted(b) == names
    assert (await b.task("greeting")).log[0].outcome == "finished"


class DyingStore(AwayStore):
    """A store that is away for writing from the n-th unit of the flow on, once it is armed."""

    def __init__(self, store: Store, after: int) -> None:
        super().__init__(store)
        self.left, self.armed = after, False

    async def commit(self, unit: Unit) -> None:
        self.left -= self.armed and any(event.type == "greeted" for event in unit.events)
        if self.armed and self.left < 0:
            raise Unavailable("the process has died")
        await self.store.commit(unit)


async def test_a_merge_in_the_middle_fires_for_the_person_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newer profile has had its turn when it becomes part of the older one, whose turn comes later."""
    monkeypatch.setattr(fan_out, "PAGE", 1)
    process = await greeting(store)
    await join(process, "old", email="ann@example.com")
    process.clock.advance(SECOND)
    await join(process, "new")
    keep = fan_out.Claim.keep_place

    async def merge_and_keep(claim: Any, place: str) -> None:
        await join(process, "new", email="ann@example.com")
        await keep(claim, place)

    monkeypatch.setattr(fan_out.Claim, "keep_place", merge_and_keep)
    await fire(process)
    assert await greeted(process) == ["new"]


async def test_who_is_forgotten_in_the_middle_holds_nothing_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    process = await greeting(store)
    ids = {name: await join(process, name) for name in ("ann", "bob")}
    page = await process.store.search(Query(fan_out.PROFILES), 10)

    async def stale(*_: Any) -> Any:
        return structs.replace(page, after=None)

    forgetter = Forgetter(process.store, process.clock, process.pipeline, quiet_ms=0, pause=0)
    await forgetter.finish(await forgetter.begin(ids["bob"], "f-1"))
    monkeypatch.setattr(process.pipeline.store, "search", stale)
    process.clock.advance(10 * MINUTE + 10 * SECOND)
    await process.scheduler.turn()
    await process.scheduler.settled()
    monkeypatch.undo()
    assert await greeted(process) == ["ann"]
    assert (await process.task("greeting")).log[0].outcome == "finished"


async def test_a_paused_firing_stops_after_its_page_and_goes_on_from_there(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "PAGE", 2)
    process = await greeting(store)
    names = [f"p{i}" for i in range(6)]
    for name in names:
        await join(process, name)
    keep = fan_out.Claim.keep_place

    async def pause_and_keep(claim: Any, place: str) -> None:
        monkeypatch.undo()
        monkeypatch.setattr(fan_out, "PAGE", 2)
        await process.scheduler.pause("greeting")
        await keep(claim, place)

    monkeypatch.setattr(fan_out.Claim, "keep_place", pause_and_keep)
    await fire(process)
    assert len(await greeted(process)) == 2
    await fire(process, 30 * MINUTE)
    assert len(await greeted(process)) == 2
    await process.scheduler.resume("greeting")
    await fire(process, 0)
    assert await greeted(process) == names
    task = await process.task("greeting")
    assert (task.log[0].due, task.log[0].reason) == (START + 10 * MINUTE, "ran for 6 profiles")


async def test_two_processes_fire_for_each_member_once(opened: Opener) -> None:
    a, b = await greeting(opened()), await greeting(opened(), "b")
    names = [f"p{i}" for i in range(30)]
    for name in names:
        await join(a, name)
    for each in (a, b):
        each.clock.set(START + 11 * MINUTE)
    await asyncio.gather(a.turn(), b.turn())
    assert await greeted(a) == sorted(names)


async def test_a_rate_bounds_how_many_begin(store: Store) -> None:
    slow = GREETING.replace("segment vip", "segment vip, rate: 20/s")
    process = await started(project(slow, JOINING, segments={"vip": None}), store, "a", START)
    for i in range(30):
        await join(process, f"p{i}")
    waited: list[float] = []
    sleep = asyncio.sleep

    async def pass_time(seconds: float) -> None:
        is_renewal = seconds > 1
        if not is_renewal:
            waited.append(seconds)
            process.clock.advance(int(seconds * 1000) + 1)
        await sleep(seconds if is_renewal else 0)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fan_out.asyncio, "sleep", pass_time)
        await fire(process)
    assert len(await greeted(process)) == 30
    assert 0.9 < sum(waited) < 1.1


async def test_a_flow_without_a_segment_runs_beside_it(store: Store) -> None:
    process = await started(project(GREETING, JOINING, COUNTING, segments={"vip": None}), store, "a", START)
    await join(process, "ann")
    await fire(process)
    assert (await greeted(process), (await process.task()).state) == (["ann"], {"count": 1})
