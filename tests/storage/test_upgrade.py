"""Data that an older program wrote is kept by today's, in SQLite and in Elasticsearch.

The fixtures were written by the code of commit bab23d4, see `upgrade/write_old_store.py`: profiles that were merged by
proof, by claim and by alias, one unmerged, segments with windows, counters, sessions, events and runs of two months,
rejected events, a forgetting that is complete and one that is not, a reevaluation that has come half the way, and on
Elasticsearch commits that broke off in the middle.
"""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from engine.ports.kinds import SEARCHABLE
from engine.ports.resolve import resolve_profile
from engine.ports.store import Store
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.tracking.operations.forgetting import Forgetter
from engine.tracking.operations.reevaluation import Reevaluation, progress_of
from storage.sqlite.store import SqliteStore
from tests.engine.tracking.collector import Collector
from tests.storage.elasticsearch_indices import Indices
from tests.storage.elasticsearch_requests import asked
from tests.storage.upgrade import story
from tests.storage.upgrade.fixture import kept, load, old_answers
from tests.storage.upgrade.reader import answers, differences
from tests.storage.upgrade.today import answers_today, found_today, names_today

DAYS = 90  # from the first event to what the tests do
Refresh = Callable[[], Awaitable[object]]


class Upgraded(Struct):
    """A store of today on the old data, and what the old program answered. `refresh` makes it find new records."""

    store: Store
    names: dict[str, list[str]]
    answers: dict[str, Any]
    refresh: Refresh

    def collector(self, segments: dict[str, Any] = story.SEGMENTS) -> Collector:
        """Today's tracker, on a later day."""
        collector = Collector(story.project(segments), self.store, keys=story.KEYS)
        collector.clock.advance(DAYS * story.DAY)
        return collector


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The SQLite file of the old program."""
    path = tmp_path / "store.db"
    path.write_bytes(kept("sqlite.db"))
    return path


@asynccontextmanager
async def sqlite(file: Path) -> AsyncIterator[Upgraded]:
    """The old file, opened today."""
    store = SqliteStore.open(file)
    await store.migrate()
    old = old_answers("sqlite")
    try:
        yield Upgraded(store, old["names"], old["answers"], store.ready)
    finally:
        await store.close()


@asynccontextmanager
async def elasticsearch(server: str) -> AsyncIterator[Upgraded]:
    """The old indices, opened today; what broke off is finished by the upgrade, but merges that were not committed."""
    indices = Indices(server)

    async def refresh() -> None:
        await asked(server, "POST", f"/{indices.prefix}-*/_refresh")

    try:
        await load(server, indices.prefix)
        store = indices.store()
        assert await store.migrate()
        assert await store.sweep() == 0
        assert await store.unsettled(99)
        await refresh()
        old = old_answers("elasticsearch")
        yield Upgraded(store, old["names"], old["answers"], refresh)
    finally:
        await indices.close()


@pytest.fixture(params=["sqlite", "elasticsearch"])
async def upgraded(request: pytest.FixtureRequest, file: Path) -> AsyncIterator[Upgraded]:
    on_sqlite = request.param == "sqlite"
    async with sqlite(file) if on_sqlite else elasticsearch(request.getfixturevalue("elasticsearch_url")) as opened:
        yield opened


def view(profile: Any) -> dict[str, Any]:
    """The profile that clients see."""
    return profile_view(profile, fold(profile))


async def test_the_answers_about_every_old_record_are_the_same_as_before(upgraded: Upgraded) -> None:
    secret = await upgraded.store.secret()
    names = names_today(upgraded.names, upgraded.answers, secret)
    found = await answers(upgraded.store, view, names, SEARCHABLE.__getitem__)
    found["counts"] = +Counter(found["counts"])  # without the kinds of records that came later
    other = differences(found_today(found), answers_today(upgraded.answers, secret))
    # The old program took the links of units as given that were not committed.
    assert [line for line in other if "'event': 'broken-off-" not in line] == []


async def test_the_fixture_has_some_of_every_kind_of_record(upgraded: Upgraded) -> None:
    old = upgraded.answers
    assert min(old["counts"].values()) >= 3
    assert all(old[name] for name in ("tombstones", "due", "notes", "flow versions"))
    profiles = [profile for profile in old["profiles"].values() if profile is not None]
    links = [link for profile in profiles for link in profile.get("steps", {}).values()]
    assert {link.get("claim", False) for link in links} == {True, False}
    assert {link.get("undone", False) for link in links} == {True, False}
    assert any(link["cause"] == "alias" for link in links)
    assert any(run.get("met") for run in old["runs"].values())
    assert all(members for members in old["members"].values())
    assert None in old["profiles"].values()  # the forgotten one


async def test_the_next_event_of_an_old_session_sets_its_profile_apart_from_the_one_that_proved_the_key(
    upgraded: Upgraded,
) -> None:
    """Three visitors had claimed the address that the till proved, so all were one profile."""
    collector = upgraded.collector()
    session = await upgraded.store.session("shop", "visit-4")
    assert session is not None
    before = view(await resolve_profile(upgraded.store, session.profile or ""))  # without those whom claims had joined
    properties = {"email": "buyer3@example.com", "total": 1000, "item": "tea"}
    body = {"source": {"id": "shop"}, "session": {"id": "visit-4"}}
    await collector.track({**body, "events": [{"type": "order-paid", "properties": properties}]})
    after = await collector.profile(session.profile or "")
    assert after["traits"]["revenue"] == before["traits"]["revenue"] + 1000
    assert after["traits"]["orders"] == before["traits"]["orders"] + 1
    assert after["ids"] == before["ids"]
    assert after["metadata"]["version"] == before["metadata"]["version"] + 2  # it has been set apart first


async def test_work_that_the_old_program_left_is_finished(upgraded: Upgraded) -> None:
    collector, store = upgraded.collector(story.MORE_SEGMENTS), upgraded.store
    await collector.tracker.start()
    reevaluation = Reevaluation(collector.pipeline)
    half = await progress_of(store)
    assert half is not None
    assert half.ended is None
    assert half.looked > 0
    whole = await reevaluation.renew(60, 1000)
    assert whole.begun == half.begun
    assert whole.ended is not None
    assert whole.looked == upgraded.answers["counts"]["profiles"]
    await upgraded.refresh()
    forgetter = Forgetter(store, collector.clock, collector.pipeline, quiet_ms=0, pause=0)
    (left,) = await forgetter.left(0)
    await forgetter.finish(left)
    assert [await store.profile(id) for id in left.ids] == [None] * len(left.ids)
    assert [one.status for one in await forgetter.all()] == ["complete", "complete"]


async def test_an_old_event_sent_again_to_an_upgraded_file_is_a_duplicate(file: Path) -> None:
    async with sqlite(file) as upgraded:
        *_, (_, body) = story.payloads()
        collector = upgraded.collector()
        await collector.track(body)
        assert collector.pipeline.ledger.totals().duplicate == 1
        before = {**upgraded.answers["counts"], "profiles": 22}  # one is set apart from those whom claims had joined
        assert dict(+(await upgraded.store.counts())) == before


async def test_a_file_is_upgraded_once(file: Path) -> None:
    async with sqlite(file) as upgraded:
        assert await upgraded.store.migrate() == []
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
