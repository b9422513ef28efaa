"""After any stream of events, merges and time: stored membership is what working it out from scratch gives."""

import asyncio
import uuid
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.buckets import counted
from engine.language.expression import compile_condition
from engine.ports.store import Store
from engine.profile.document import Profile
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.project.segment import Segment
from engine.tracking.operations.reevaluation import Reevaluation
from storage.elasticsearch.store import ElasticsearchStore
from storage.memory import MemoryStore
from storage.sqlite.store import SqliteStore
from tests.engine.profile.histories import examples
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project
from tests.storage.cluster import dropped

HOUR = 3_600_000
DAY = 24 * HOUR

FLOWS = (
    """
    flow: order
    trigger: {event: order}
    nodes:
      count: {profile.count: {orders: 1, revenue: "{{ event.properties.total }}"}, next: spent}
      spent: {profile.increment: {traits.spent: "{{ event.properties.total }}"}, next: last}
      last: {profile.set: {traits.last: "{{ event.properties.total }}"}}
    """,
    """
    flow: login
    trigger: {event: login}
    nodes: {who: {profile.merge: {pii.email: "{{ event.properties.email }}"}}}
    """,
    """
    flow: mark
    trigger: {event: mark}
    nodes:
      which: {if: event.properties.on == true, next: {then: add, else: remove}}
      add: {segment.add: by_hand}
      remove: {segment.remove: by_hand}
    """,
    """
    flow: history
    trigger: {event: [segment-entered, segment-left]}
    nodes: {note: {profile.append: {traits.history: "{{ event.type }} {{ event.properties.segment }}"}}}
    """,
    """
    flow: back-and-forth
    trigger: {event: segment-entered, when: event.properties.segment == 'unlucky'}
    nodes: {undo: {profile.set: {traits.last: 1}}}
    """,
)
BY_TIME: dict[str, Segment | None] = {
    "by_hand": None,
    **{
        name: Segment(name=name, condition=compile_condition(text))
        for name, text in {
            "big": "profile.traits.spent >= 30",
            "regular": "counted('orders', '1d') >= 2 or counted('orders', '10d') >= 4",
            "quiet": "counted('orders', '3h') == 0",
            "lapsed": "profile.metadata.last_seen < now - days(2)",
            "stale": "changed_at('traits.last') < now - hours(30)",
            "unlucky": "profile.traits.last == 13",
            "returning": "profile.metadata.visits >= 2 and now - profile.metadata.previous_seen < days(3)",
        }.items()
    },
}
BY_WINDOW: dict[str, Segment | None] = {
    "steady": Segment(name="steady", condition=compile_condition("counted('orders', '1d') >= 1"), for_ms=20 * HOUR),
    "recent": Segment(name="recent", condition=compile_condition("profile.traits.last == 13"), within_ms=7 * HOUR),
}

LONG: list[tuple[Any, ...]] = [
        ("order", "a", 13), ("wait", 5 * HOUR, True), ("order", "a", 10), ("order", "b", 13), ("wait", DAY, False),
        ("login", "a", "ann"), ("login", "b", "ann"), ("wait", 9 * DAY, True), ("order", "b", 1), ("mark", "a", True),
    ]  # fmt: skip
steps = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.sampled_from("abc"), st.sampled_from([1, 10, 13])),
        st.tuples(st.just("login"), st.sampled_from("abc"), st.sampled_from(["ann", "bo"])),
        st.tuples(st.just("mark"), st.sampled_from("abc"), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([1, 20 * 60_000, 5 * HOUR, DAY, 9 * DAY]), st.booleans()),
    ),
    min_size=1,
    max_size=14,
)


class Story:
    """A stream of events over a store, and who took part."""

    def __init__(self, store: Store, segments: dict[str, Segment | None]) -> None:
        self.segments = segments
        self.collector = Collector(project(*FLOWS, segments=segments), store)
        self.ids: dict[str, str] = {}
        self.orders: list[tuple[str, int, int]] = []  # under which id, when, how much

    async def play(self, todo: list[tuple[Any, ...]]) -> None:
        for what, who, how in todo:
            if what == "wait":
                self.collector.clock.advance(who)
                if how:
                    await self.remind()
                continue
            self.collector.clock.advance(1000)
            name = {"order": "total", "login": "email", "mark": "on"}[what]
            answer = await self.collector.track(payload({"type": what, "properties": {name: how}}, session=who))
            self.ids.setdefault(who, answer["profile"]["id"])
            if what == "order":
                self.orders.append((self.ids[who], self.collector.clock.now(), how))
        await self.remind()

    async def remind(self) -> None:
        store = self.collector.store
        await Reevaluation(self.collector.pipeline).due(1, 1000)
        assert await store.due(self.collector.clock.now(), 10) == []

    async def people(self) -> list[Profile]:
        found = [await self.collector.store.profile(id) for id in self.ids.values()]
        return list({profile.id: profile for profile in found if profile is not None}.values())

    def from_scratch(self, profile: Profile) -> list[str]:
        """The segments of a profile by its conditions alone, windows apart."""
        now, seen = self.collector.clock.now(), profile_view(profile, fold(profile))
        scope = self.collector.pipeline.project.segment_rules.scope_of(profile, seen, now)
        by_hand = fold(profile).get("segments", ())
        held = [
            name
            for name, segment in self.segments.items()
            if segment is not None and segment.condition is not None and not segment.windowed
            if segment.condition.test(scope)
        ]
        return sorted([*by_hand, *held])

    async def check(self) -> None:
        for profile in await self.people():
            seen = profile_view(profile, fold(profile))
            windowed = {name for name, segment in self.segments.items() if segment is not None and segment.windowed}
            assert [name for name in seen["segments"] if name not in windowed] == self.from_scratch(profile)
            conditional = self.collector.pipeline.project.segment_rules
            assert (
                conditional.with_membership(profile, seen, self.collector.clock.now()).conditional
                == profile.conditional
            )
            mine = [(at, total) for id, at, total in self.orders if id in profile.ids]
            for window in (HOUR, DAY, 30 * DAY):
                since = self.collector.clock.now() - window
                width = 60_000 if window <= 2 * HOUR else HOUR if window <= 8 * DAY else DAY
                expected = [(at, total) for at, total in mine if at // width >= since // width]
                tallies = seen["counters"]
                assert counted(tallies.get("orders", {}), window, since + window) == len(expected)
                assert counted(tallies.get("revenue", {}), window, since + window) == sum(t for _, t in expected)

    async def check_history(self) -> None:
        """What was entered is left before it is entered again, by each profile for itself."""
        for profile in await self.people():
            told = [line.split() for line in profile_view(profile, fold(profile))["traits"].get("history", [])]
            if len(profile.parts) > 1 or len(told) == 100:
                continue  # both have entered before they were joined; or the beginning is not kept
            for name in self.segments:
                mine = [what for what, segment in told if segment == name]
                expected = ["segment-entered", "segment-left"] * len(mine)
                assert mine == expected[: len(mine)]
                inside = name in profile_view(profile, fold(profile))["segments"]
                assert (len(mine) % 2 == 1) == inside


def tell(kind: str, todo: list[tuple[Any, ...]], segments: dict[str, Segment | None]) -> None:
    """Play a story on a store of a kind and check it at its end."""

    async def story() -> None:
        with TemporaryDirectory() as folder:
            store: Store = MemoryStore() if kind == "memory" else SqliteStore.open(Path(folder) / "store.db")
            try:
                told = Story(store, segments)
                await told.play(todo)
                await told.check()
                await told.check_history()
            finally:
                await store.close()

    asyncio.run(story())


@examples(120)
@given(steps)
def test_membership_is_what_working_it_out_from_scratch_gives_in_memory(todo):
    tell("memory", todo, BY_TIME | BY_WINDOW)


@examples(25)
@given(steps)
def test_membership_is_what_working_it_out_from_scratch_gives_in_sqlite(todo):
    tell("sqlite", todo, BY_TIME | BY_WINDOW)


@examples(40)
@given(steps, st.permutations([BY_TIME, BY_WINDOW, BY_TIME | BY_WINDOW, {"by_hand": None}]))
def test_when_segments_change_all_are_as_if_they_had_always_been_so(todo, orders):
    async def story() -> None:
        told = Story(MemoryStore(), {"by_hand": None, **orders[0]})
        for segments in orders:
            told.segments = {"by_hand": None, **segments}
            told.collector.pipeline.use(project(*FLOWS, segments=told.segments))
            await told.play(todo)
            progress = await Reevaluation(told.collector.pipeline).renew(1, 1000)
            assert progress.ended is not None
            await told.check()

    asyncio.run(story())


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_long_life_is_told(kind):
    tell(kind, LONG, BY_TIME | BY_WINDOW)


class Refreshed(ElasticsearchStore):
    """One whose searches see what was just committed."""

    async def due(self, before: int, limit: int) -> list[str]:
        await self._search.refresh(self._names.profiles)
        return await super().due(before, limit)


async def tell_on_elasticsearch(server: str, todo: list[tuple[Any, ...]]) -> None:
    """Play a story on indices of its own, check it, and change the segments at its end."""
    prefix = f"t{uuid.uuid4().hex[:12]}"
    store = Refreshed.open(f"{server}?prefix={prefix}")
    try:
        told = Story(store, BY_TIME | BY_WINDOW)
        await told.play(todo)
        await told.check()
        await told.check_history()
        told.segments = BY_TIME
        told.collector.pipeline.use(project(*FLOWS, segments=BY_TIME))
        await store._search.refresh(store._names.profiles)
        assert (await Reevaluation(told.collector.pipeline).renew(1, 1000)).ended is not None
        await told.check()
    finally:
        await store.close()
        await dropped(server, prefix)


def test_a_long_life_is_told_on_elasticsearch(elasticsearch_url):
    asyncio.run(tell_on_elasticsearch(elasticsearch_url, LONG))


@examples(12)
@given(todo=steps)
def test_membership_is_what_working_it_out_from_scratch_gives_in_elasticsearch(elasticsearch_url, todo):
    asyncio.run(tell_on_elasticsearch(elasticsearch_url, todo))
