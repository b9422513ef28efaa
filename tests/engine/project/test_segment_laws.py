"""After any events, merges and time, the stored membership is the same as one computed from scratch."""

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
from tests.engine.tracking.woken import timers
from tests.projects import payload, project
from tests.storage.elasticsearch_requests import dropped

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
streams = st.lists(
    st.one_of(
        st.tuples(st.just("order"), st.sampled_from("abc"), st.sampled_from([1, 10, 13])),
        st.tuples(st.just("login"), st.sampled_from("abc"), st.sampled_from(["ann", "bo"])),
        st.tuples(st.just("mark"), st.sampled_from("abc"), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([1, 20 * 60_000, 5 * HOUR, DAY, 9 * DAY]), st.booleans()),
    ),
    min_size=1,
    max_size=14,
)


class EventStream:
    """Random events, merges and waits on a store, and the ids of the profiles that they create."""

    def __init__(self, store: Store, segments: dict[str, Segment | None]) -> None:
        self.segments = segments
        self.collector = Collector(project(*FLOWS, segments=segments), store)
        self.ids: dict[str, str] = {}
        self.orders: list[tuple[str, int, int]] = []  # id, time (ms), amount

    async def play(self, todo: list[tuple[Any, ...]]) -> None:
        for action, subject, value in todo:
            if action == "wait":
                self.collector.clock.advance(subject)
                if value:
                    await self.remind()
                continue
            self.collector.clock.advance(1000)
            name = {"order": "total", "login": "email", "mark": "on"}[action]
            answer = await self.collector.track(payload({"type": action, "properties": {name: value}}, session=subject))
            self.ids.setdefault(subject, answer["profile"]["id"])
            if action == "order":
                self.orders.append((self.ids[subject], self.collector.clock.now(), value))
        await self.remind()

    async def remind(self) -> None:
        """Evaluate all profiles that are due."""
        store = self.collector.store
        await timers(self.collector.pipeline).turn(1, 1000)
        assert await store.due(self.collector.clock.now(), 10) == []

    async def profiles(self) -> list[Profile]:
        profiles = [await self.collector.store.profile(id) for id in self.ids.values()]
        return list({profile.id: profile for profile in profiles if profile is not None}.values())

    def from_scratch(self, profile: Profile) -> list[str]:
        """Return the segments of a profile, without windowed ones, by their conditions alone."""
        now, view = self.collector.clock.now(), profile_view(profile, fold(profile))
        scope = self.collector.pipeline.project.segment_rules.scope_of(profile, view, now)
        by_hand = fold(profile).get("segments", ())
        conditional = [
            name
            for name, segment in self.segments.items()
            if segment is not None and segment.condition is not None and not segment.windowed
            if segment.condition.test(scope)
        ]
        return sorted([*by_hand, *conditional])

    async def check(self) -> None:
        for profile in await self.profiles():
            view = profile_view(profile, fold(profile))
            windowed = {name for name, segment in self.segments.items() if segment is not None and segment.windowed}
            assert [name for name in view["segments"] if name not in windowed] == self.from_scratch(profile)
            rules = self.collector.pipeline.project.segment_rules
            assert rules.with_membership(profile, view, self.collector.clock.now()).conditional == profile.conditional
            orders = [(at, total) for id, at, total in self.orders if id in profile.ids]
            for window in (HOUR, DAY, 30 * DAY):
                since = self.collector.clock.now() - window
                width = 60_000 if window <= 2 * HOUR else HOUR if window <= 8 * DAY else DAY
                expected = [(at, total) for at, total in orders if at // width >= since // width]
                tallies = view["counters"]
                assert counted(tallies.get("orders", {}), window, since + window) == len(expected)
                assert counted(tallies.get("revenue", {}), window, since + window) == sum(t for _, t in expected)

    async def check_history(self) -> None:
        """Check that each profile left every segment before it entered it again."""
        for profile in await self.profiles():
            entries = [line.split() for line in profile_view(profile, fold(profile))["traits"].get("history", [])]
            if len(profile.parts) > 1 or len(entries) == 100:
                continue  # both sides entered before the merge, or the start of the list was dropped
            for name in self.segments:
                changes = [what for what, segment in entries if segment == name]
                expected = ["segment-entered", "segment-left"] * len(changes)
                assert changes == expected[: len(changes)]
                inside = name in profile_view(profile, fold(profile))["segments"]
                assert (len(changes) % 2 == 1) == inside


def play_and_check(kind: str, todo: list[tuple[Any, ...]], segments: dict[str, Segment | None]) -> None:
    """Play a stream of events on a new store of a kind, and check the result."""

    async def run() -> None:
        with TemporaryDirectory() as folder:
            store: Store = MemoryStore() if kind == "memory" else SqliteStore.open(Path(folder) / "store.db")
            try:
                stream = EventStream(store, segments)
                await stream.play(todo)
                await stream.check()
                await stream.check_history()
            finally:
                await store.close()

    asyncio.run(run())


@examples(120)
@given(streams)
def test_membership_is_the_same_as_computed_from_scratch_in_memory(todo):
    play_and_check("memory", todo, BY_TIME | BY_WINDOW)


@examples(25)
@given(streams)
def test_membership_is_the_same_as_computed_from_scratch_in_sqlite(todo):
    play_and_check("sqlite", todo, BY_TIME | BY_WINDOW)


@examples(40)
@given(streams, st.permutations([BY_TIME, BY_WINDOW, BY_TIME | BY_WINDOW, {"by_hand": None}]))
def test_after_segments_change_membership_is_as_if_they_had_always_been_so(todo, orders):
    async def run() -> None:
        stream = EventStream(MemoryStore(), {"by_hand": None, **orders[0]})
        for segments in orders:
            stream.segments = {"by_hand": None, **segments}
            stream.collector.pipeline.use(project(*FLOWS, segments=stream.segments))
            await stream.play(todo)
            progress = await Reevaluation(stream.collector.pipeline).renew(1, 1000)
            assert progress.ended is not None
            await stream.check()

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_long_stream_of_events_is_played(kind):
    play_and_check(kind, LONG, BY_TIME | BY_WINDOW)


class Refreshed(ElasticsearchStore):
    """A store whose search for due profiles includes the newest commits."""

    async def due(self, before: int, limit: int) -> list[str]:
        await self._search.refresh(self._names.profiles)
        return await super().due(before, limit)


async def play_on_elasticsearch(server: str, todo: list[tuple[Any, ...]]) -> None:
    """Play a stream of events on new indices, check the result, and check it again with other segments."""
    prefix = f"t{uuid.uuid4().hex[:12]}"
    store = Refreshed.open(f"{server}?prefix={prefix}")
    try:
        stream = EventStream(store, BY_TIME | BY_WINDOW)
        await stream.play(todo)
        await stream.check()
        await stream.check_history()
        stream.segments = BY_TIME
        stream.collector.pipeline.use(project(*FLOWS, segments=BY_TIME))
        await store._search.refresh(store._names.profiles)
        assert (await Reevaluation(stream.collector.pipeline).renew(1, 1000)).ended is not None
        await stream.check()
    finally:
        await store.close()
        await dropped(server, prefix)


def test_a_long_stream_of_events_is_played_on_elasticsearch(elasticsearch_url):
    asyncio.run(play_on_elasticsearch(elasticsearch_url, LONG))


@examples(12)
@given(todo=streams)
def test_membership_is_the_same_as_computed_from_scratch_in_elasticsearch(elasticsearch_url, todo):
    asyncio.run(play_on_elasticsearch(elasticsearch_url, todo))
