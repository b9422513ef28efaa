"""How units are committed in Elasticsearch, where the contract says nothing: claims, guards, sweeping, upkeep."""

import asyncio

import pytest
from msgspec import structs

from engine.ports.records import IdentityKey, ProcessedEvent, ProfileWrite, SessionWrite, StoredEvent, Unit
from engine.ports.store import Conflict, Unavailable
from storage.elasticsearch import commit_carrier
from storage.elasticsearch.address import Address, UnusableAddress, address_of
from storage.elasticsearch.migration import NewerSchema
from storage.elasticsearch.names import Names
from storage.elasticsearch.periods import DAY, WEEK, month, over_before, weeks_over_before
from storage.elasticsearch.store import ElasticsearchStore
from tests.storage.build import cells, event, mark, profile, session, session_write, write
from tests.storage.elasticsearch_indices import Indices
from tests.storage.elasticsearch_requests import asked, indices_of
from tests.storage.failing_connection import commit_breaking_off

# ---- claims of marks -----------------------------------------------------------------------------------------------


def attached(id: str, token: str = "e") -> Unit:  # noqa: S107
    """The unit of an event without a session that a flow has attached to a profile."""
    return Unit(
        profiles=(write(id, n=1),),
        marks=(ProcessedEvent(source="web", event=token, at=10, profile=id),),
        events=(structs.replace(event(token, id), session=None),),
    )


async def test_an_event_that_was_led_to_two_profiles_takes_effect_at_one(indices: Indices) -> None:
    first, second = indices.store(), indices.store()
    results = await asyncio.gather(
        *[store.commit(attached(id)) for store, id in ((first, "ann"), (second, "bob"))], return_exceptions=True
    )
    assert sorted(str(type(each).__name__) for each in results) == ["Conflict", "NoneType"]
    third = indices.store()
    assert [await third.profile(id) is None for id in ("ann", "bob")] in ([True, False], [False, True])
    assert (await third.counts())["events"] == 1


async def test_a_claim_that_nobody_kept_is_taken_over_and_its_owner_can_no_longer_commit(indices: Indices) -> None:
    owner, other = indices.store(), indices.store()
    failing = await commit_breaking_off(
        owner, attached("ann"), 2
    )  # the claim is the first write, the commit the second
    await other.commit(attached("bob"))
    await failing.late()
    third = indices.store()
    assert await third.profile("ann") is None
    assert cells(await third.profile("bob")) == {"n": 1}
    assert (await third.marks("web", ("e",)))["e"].profile == "bob"


async def test_a_claim_whose_owner_has_committed_is_a_mark(indices: Indices) -> None:
    owner, other = indices.store(), indices.store()
    await commit_breaking_off(owner, attached("ann"), 3)  # nothing is written after the commit
    with pytest.raises(Conflict, match="mark e"):
        await other.commit(attached("bob"))
    assert await other.profile("bob") is None
    assert (await other.marks("web", ("e",)))["e"].profile == "ann"


# ---- sessions ------------------------------------------------------------------------------------------------------


async def test_a_session_that_was_claimed_says_whose_it_is_and_nothing_else(indices: Indices) -> None:
    unit = Unit(profiles=(write("ann"),), sessions=(session_write("visit", 0, page=1),))
    await commit_breaking_off(indices.store(), unit, 2)
    other = indices.store()
    claimed = await other.session("web", "visit")
    assert claimed == structs.replace(session("visit", 0), properties={})
    assert (await other.counts())["sessions"] == 0
    await other.commit(unit)
    assert await other.session("web", "visit") == session("visit", 1, page=1)


async def test_a_session_that_was_claimed_for_another_profile_is_a_conflict(indices: Indices) -> None:
    await commit_breaking_off(indices.store(), Unit(profiles=(write("ann"),), sessions=(session_write("visit", 0),)), 2)
    theirs = structs.replace(session("visit"), profile="bob")
    with pytest.raises(Conflict, match="session visit"):
        await indices.store().commit(Unit(profiles=(write("bob"),), sessions=(SessionWrite(theirs, 0),)))


async def test_a_session_changed_beside_its_profile_keeps_both_changes_apart(indices: Indices) -> None:
    """One process commits a unit of the profile with its session, one the session alone, of the same version."""
    first, second = indices.store(), indices.store()
    await first.commit(Unit(profiles=(write("ann"),), sessions=(session_write("visit", 0),)))
    assert await second.session("web", "visit") is not None
    results = await asyncio.gather(
        first.commit(Unit(profiles=(write("ann", 1),), sessions=(session_write("visit", 1, by="profile"),))),
        second.commit(Unit(sessions=(session_write("visit", 1, by="session"),))),
        return_exceptions=True,
    )
    assert sorted(str(type(each).__name__) for each in results) == ["Conflict", "NoneType"]
    by = "profile" if results[0] is None else "session"
    third = indices.store()
    await third.profile("ann")
    assert await third.session("web", "visit") == session("visit", 2, by=by)


async def test_a_profile_is_made_beside_a_unit_of_its_session_alone(indices: Indices) -> None:
    store = indices.store()
    await store.commit(Unit(sessions=(session_write("visit", 0),)))
    assert await store.profile("ann") is None
    assert (await store.counts())["profiles"] == 0
    await store.commit(Unit(profiles=(write("ann"),)))
    assert await store.profile("ann") == profile("ann")


# ---- pending -------------------------------------------------------------------------------------------------------


async def test_what_is_pending_is_bounded(indices: Indices, monkeypatch: pytest.MonkeyPatch) -> None:
    store = indices.store()
    for n in range(3 * commit_carrier.MAX_PENDING):
        await store.commit(Unit(profiles=(write("ann", n),), events=(event(f"e-{n}"),)))
    assert len((await indices.source("profiles", "id", "ann")).get("pending", [])) <= commit_carrier.MAX_PENDING
    monkeypatch.setattr(commit_carrier, "MAX_BYTES", 1000)
    with pytest.raises(Unavailable, match="too large"):
        await store.commit(Unit(profiles=(write("bob"),), events=(event("big", text="x" * 1000),)))
    assert await store.profile("bob") is None


@pytest.mark.parametrize("unit", [
    pytest.param(Unit(profiles=(write("ann"),), events=(event("e"),)), id="a profile"),
    pytest.param(Unit(marks=(mark("e"),), events=(event("e"),)), id="a mark"),
    pytest.param(
        Unit(sessions=(SessionWrite(structs.replace(session("visit"), profile=None), 0),), events=(event("e"),)),
        id="a session",
    ),
    pytest.param(Unit(events=(event("e"), event("f"))), id="nothing else"),
])  # fmt: skip
async def test_the_sweeper_finishes_what_nobody_reads(indices: Indices, unit: Unit) -> None:
    await commit_breaking_off(indices.store(), unit, 2)
    sweeper, reader = indices.store(), indices.store()
    assert (await reader.counts())["events"] == 0
    assert await sweeper.sweep(older_ms=3_600_000) == 0
    assert await sweeper.sweep(older_ms=0) == 1
    assert (await reader.counts())["events"] == len(unit.events)
    assert await sweeper.sweep(older_ms=0) == 0


async def test_a_merge_that_was_left_open_is_named_until_a_commit_completes_it(indices: Indices) -> None:
    store = indices.store()
    await store.commit(Unit(profiles=(write("ann", color="red"),)))
    await store.commit(Unit(profiles=(write("bob", size=1),)))
    both = structs.replace(profile("ann", 2), parts={**profile("ann").parts, **profile("bob").parts})
    unit = Unit(profiles=(ProfileWrite(both, 1), write("bob", 1, into="ann")))
    await commit_breaking_off(store, unit, 2)
    other = indices.store()
    merged = await other.profile("bob")
    assert merged is not None
    assert (merged.id, merged.version, set(merged.parts), merged.due) == ("ann", 1, {"ann", "bob"}, 0)
    assert await other.sweep(older_ms=0) == 0
    assert [await other.unsettled(9), await other.unsettled(9, older_ms=0)] == [[], ["bob"]]
    await other.commit(Unit(profiles=(ProfileWrite(structs.replace(merged, version=2), 1),)))
    assert await other.profile("bob") == structs.replace(merged, version=2)
    await other.sweep(older_ms=0)
    assert await other.unsettled(9, older_ms=0) == []
    tombstone = await indices.source("profiles", "id", "bob")
    assert (tombstone["merged_into"], "open" in tombstone, "frozen" in tombstone) == ("ann", False, False)


async def test_a_profile_that_was_frozen_is_set_apart_again(indices: Indices) -> None:
    store = indices.store()
    await store.commit(Unit(profiles=(write("ann", color="red"),)))
    await store.commit(Unit(profiles=(write("bob", size=1),)))
    both = structs.replace(profile("ann", 2), parts={**profile("ann").parts, **profile("bob").parts})
    late = await commit_breaking_off(store, Unit(profiles=(ProfileWrite(both, 1), write("bob", 1, into="ann"))), 2)
    other = indices.store()
    found = await other.as_stored(("bob",))
    assert (found["bob"].version, found["bob"].merged_into) == (2, "ann")
    await other.commit(Unit(profiles=(write("ann", 1, color="red"), write("bob", 2, size=1))))
    await late.late()  # the commit of the first unit
    third = indices.store()
    assert [await third.profile(id) for id in ("ann", "bob")] == [
        profile("ann", 2, color="red"), profile("bob", 3, size=1)
    ]  # fmt: skip


async def test_a_frozen_profile_is_not_written_over_alone(indices: Indices) -> None:
    store = indices.store()
    await store.commit(Unit(profiles=(write("ann"),)))
    await store.commit(Unit(profiles=(write("bob"),)))
    await commit_breaking_off(store, Unit(profiles=(write("ann", 1), write("bob", 1, into="ann"))), 2)
    with pytest.raises(Conflict, match="profile bob"):
        await indices.store().commit(Unit(profiles=(write("bob", 2),)))


async def test_keys_that_were_claimed_stand(indices: Indices) -> None:
    await commit_breaking_off(indices.store(), Unit(profiles=(write("ann"),), keys=(IdentityKey("k", "ann"),)), 2)
    other = indices.store()
    assert await other.key("k") == IdentityKey("k", "ann")
    with pytest.raises(Conflict, match="key k"):
        await other.commit(Unit(profiles=(write("bob"),), keys=(IdentityKey("k", "bob"),)))


# ---- blocks, readiness ---------------------------------------------------------------------------------------------


async def test_a_read_only_block_is_reported_until_it_is_lifted(indices: Indices) -> None:
    store = indices.store()
    await store.commit(Unit(profiles=(write("ann"),)))
    settings = f"/{indices.prefix}-*/_settings"
    await asked(indices.server, "PUT", settings, {"index.blocks.write": True})
    with pytest.raises(Unavailable, match="cluster_block_exception"):
        await store.commit(Unit(profiles=(write("ann", 1),)))
    assert "cluster_block_exception" in str(await store.ready())
    await asked(indices.server, "PUT", settings, {"index.blocks.write": None})
    assert await store.ready() is None
    await store.commit(Unit(profiles=(write("ann", 1),)))


async def test_an_unreachable_server_is_reported(unused_tcp_port: int) -> None:
    store = ElasticsearchStore.open(f"http://127.0.0.1:{unused_tcp_port}")
    assert "Cannot connect" in str(await store.ready())
    with pytest.raises(Unavailable):
        await store.profile("ann")
    await store.close()


async def test_a_closed_store_says_so(indices: Indices) -> None:
    store = indices.store()
    await store.close()
    assert "closed" in str(await store.ready())
    for call in (store.commit(Unit()), store.counts(), store.profile("ann"), store.forget_marks(1), store.sweep()):
        with pytest.raises(Unavailable, match="closed"):
            await call


async def test_closing_finishes_what_was_begun(indices: Indices) -> None:
    store = indices.store()
    await store.counts()
    waiting = [
        asyncio.create_task(store.commit(Unit(profiles=(write(f"p-{n}"),), events=(event(f"e-{n}"),))))
        for n in range(300)
    ]
    await asyncio.sleep(0)
    await asyncio.gather(store.close(), store.close())
    assert await asyncio.gather(*waiting) == [None] * 300
    counts = await indices.store().counts()
    assert (counts["profiles"], counts["events"]) == (300, 300)


# ---- schema, months, weeks -----------------------------------------------------------------------------------------


async def test_indices_of_a_newer_schema_are_refused(indices: Indices) -> None:
    await indices.store().migrate()
    newer = {"_meta": {"schema": 99}, "properties": {}}
    await asked(indices.server, "PUT", f"/{indices.prefix}-keys/_mapping", newer)
    late = indices.store()
    with pytest.raises(NewerSchema, match="keys has schema 99"):
        await late.migrate()
    with pytest.raises(NewerSchema):
        await late.commit(Unit(profiles=(write("ann"),)))
    assert "schema 99" in str(await late.ready())


async def test_indices_of_an_older_schema_are_upgraded(indices: Indices) -> None:
    await indices.store().migrate()
    await asked(indices.server, "PUT", f"/{indices.prefix}-keys/_mapping", {"_meta": {"schema": 0}})
    results = await indices.store().migrate()
    assert [words for words in results if f"upgraded the index {indices.prefix}-keys" in words] == results


async def test_events_go_to_the_month_in_which_they_were_received(indices: Indices) -> None:
    store = indices.store()
    days = [StoredEvent(id=f"e-{n}", type="x", source="web", received=n * 31 * DAY) for n in range(3)]
    await store.commit(Unit(events=tuple(days)))
    await store.counts()
    months = [name for name in await indices_of(indices.server, indices.prefix) if "events" in name]
    assert months == [f"{indices.prefix}-events-{month}" for month in ("197001", "197002", "197003")]


async def test_a_week_of_forgotten_marks_is_dropped(indices: Indices) -> None:
    store = indices.store()
    now = store._loader.now()
    old = now - 6 * DAY
    await store.commit(Unit(marks=(mark("old", at=old),)))
    assert await store.marks("web", ("old",)) == {"old": mark("old", at=old)}
    store._loader.now = lambda: now + 3 * WEEK
    await store._look()  # as it does every hour
    await store.commit(Unit(marks=(mark("new", at=now + 3 * WEEK),)))
    assert len([name for name in await indices_of(indices.server, indices.prefix) if "marks" in name]) == 2
    assert await store.marks("web", ("old", "new")) == {
        "old": mark("old", at=old), "new": mark("new", at=now + 3 * WEEK)
    }  # fmt: skip
    assert await store.forget_marks(now + 2 * WEEK) == 1
    assert len([name for name in await indices_of(indices.server, indices.prefix) if "marks" in name]) == 1
    assert list(await store.marks("web", ("old", "new"))) == ["new"]


def test_months_and_weeks_are_those_of_utc() -> None:
    names = Names("p")
    assert [month(time) for time in (0, 31 * DAY - 1, 31 * DAY, -1, 10**18)] == [
        "197001", "197001", "197002", "197001", "999912"
    ]  # fmt: skip
    now = 1_700_000_000_000
    assert names.marks_at(now, now) in names.marks_now(now)
    assert names.marks_at(now - WEEK, now) in names.marks_now(now)
    assert names.marks_at(5, now) == names.marks_at(now, now)
    assert len(names.marks_now(now)) == 2
    assert over_before(["p-events-202401", "p-events-202402", "p-events-202403"], 1_709_251_200_000) == [
        "p-events-202401", "p-events-202402"
    ]  # fmt: skip
    assert weeks_over_before(names.marks_now(now), now) == names.marks_now(now)[:1]


# ---- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "address"), [
    pytest.param("http://es:9200", Address(("http://es:9200",)), id="plain"),
    pytest.param("https://es", Address(("https://es:9200",)), id="without a port"),
    pytest.param("http://es:1?prefix=shop-1", Address(("http://es:1",), "shop-1"), id="prefix"),
    pytest.param("http://a:1,b:2,http://c:3", Address(("http://a:1", "http://b:2", "http://c:3")), id="several"),
    pytest.param("http://ann:p%40ss@es:1", Address(("http://es:1",), user=("ann", "p@ss")), id="user"),
    pytest.param("http://[::1]:9200", Address(("http://[::1]:9200",)), id="IPv6"),
])  # fmt: skip
def test_an_address(text: str, address: Address) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize("text", [
    "", "es:9200", "ftp://es", "http://", "http://es?prefix=Shop", "http://es?prefix=", "http://es?x=1", "http://es:x",
    "http://es?prefix=*", "http://a,", "http://a:99999",
])  # fmt: skip
def test_an_address_that_names_no_server_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UnusableAddress, match=r"elasticsearch:http://host:9200"):
        address_of(text)
