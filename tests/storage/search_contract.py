"""The contract of all stores for searching; each adapter's test class inherits it and defines the fixture `store`.

`refresh` makes committed documents visible to searches, if that takes a while.
"""

from collections.abc import Awaitable, Callable, Iterable
from random import Random
from typing import Any

import msgspec
import pytest

from engine.language.written_time import written_time
from engine.ports.kinds import KINDS, SEARCHABLE
from engine.ports.records import ProfileWrite, Rejected, RunRecord, Session, SessionWrite, StoredEvent, Unit
from engine.ports.store import Searches, Store
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view
from engine.search.match import matches
from engine.search.page import BadCursor, Page, write_cursor
from engine.search.parse import parse
from tests.engine.search.random_queries import NOW, query, unit
from tests.storage.build import mark, write

Refresh = Callable[[], Awaitable[None]]
Filled = Callable[[str, Iterable[Unit]], Awaitable[Store]]

SHELF = (
    StoredEvent(
        id="e1", type="order-paid", source="web", received=NOW, session="visit", profile="ann",
        properties={"total": 12, "items": [{"sku": "a-1"}, {"sku": "b-2"}], "gift": True, "note": 'say "hi"'},
        context={"page": {"url": "https://shop.example/cart?x=1&y=2"}},
    ),
    StoredEvent(id="e2", type="order-cancelled", source="web", received=NOW + 1000, profile="bob",
        properties={"total": 12.0, "reason": "ärger"}),
    StoredEvent(id="e3", type="page-view", source="app", received=NOW + 2000, profile="ann", origin="flow",
        parent="e1", properties={"total": "12", "a.b": 1, "long": "x" * 1025}),
    StoredEvent(id="e4", type="page-view", source="app", received=NOW + 3000, session="visit", time="2024",
        properties={"total": -5.5, "a": {"b": 1}, "empty": "", "none": None}),
)  # fmt: skip


async def walk(store: Searches, text: str, kind: str = "events", limit: int = 1000) -> list[Any]:
    """All pages of a search."""
    asked, found, after = parse(text, SEARCHABLE[kind], NOW), list[Any](), None
    while True:
        page = await store.search(asked, limit, after)
        assert len(page.items) <= limit
        found += page.items
        if page.after is None:
            return found
        after = page.after


async def ids(store: Searches, text: str, kind: str = "events", limit: int = 1000) -> list[str]:
    return [one.id for one in await walk(store, text, kind, limit)]


async def first(store: Searches, kind: str = "events", limit: int = 3, after: str | None = None) -> Page:
    return await store.search(parse("", SEARCHABLE[kind], NOW), limit, after)


def coloured(id: str, color: str, expected: int = 0) -> ProfileWrite:
    plain = write(id, expected, **{"traits.color": color})
    return ProfileWrite(plain.profile, expected, profile_view(plain.profile, fold(plain.profile)))


def visit(id: str, source: str, at: int) -> SessionWrite:
    return SessionWrite(Session(source=source, id=id, created=at, profile="ann", version=1), 0)


def ran(id: str, event: str, at: int, session: str | None = None) -> RunRecord:
    of = {"flow": "greet", "version": "9f", "outcome": "failed", "source": "web", "profile": "ann"}
    return RunRecord(id=id, event=event, at=at, session=session, **of)


def no(id: str, reason: str, at: int, named: str | None = None) -> Rejected:
    return Rejected(id=id, source="web", at=at, reason=reason, body=msgspec.Raw(b'{"type":1}'), profile=named)


SHELVED = (
    Unit(profiles=(write("ann"), write("bob"))),
    *[Unit(events=(one,), marks=(mark(one.id),) if one.id in {"e1", "e4"} else ()) for one in SHELF],
)
OF_ALL_KINDS = Unit(
    profiles=(coloured("ann", "red"), write("loser", into="ann"), write("bob")),
    sessions=(visit("v-1", "web", NOW + 1), visit("v-2", "web", NOW + 2), visit("visit", "app", NOW + 3)),
    runs=(
        ran("r-1", "e-1", NOW + 1),
        ran("r-2", "e-1", NOW + 2, "s-1"),
        ran("r-3", "e-2", NOW + 3),
    ),
    rejected=(no("x-1", "the type is missing", NOW + 1), no("x-2", "no source", NOW + 2, "ann")),
)
NUMBERED = tuple(
    StoredEvent(
        id=f"e{n}", type="t", source="web", received=NOW + n // 3, profile="ann",
        properties={"n": n, "even": n % 2 == 0},
    )
    for n in range(14)
)  # fmt: skip


LARGE = (2**53 + 1, 720182990123456789, 2**64, -(2**63) - 1, 10**99 + 7, -(10**1000) + 1)
LARGE_NUMBERS = tuple(
    StoredEvent(id=f"n{n}", type="t", source="web", received=NOW + n, properties={"n": number, "near": number + 1})
    for n, number in enumerate(LARGE)
)


# What earlier versions have stored, or could have: values of other types than declared.
ODD_TIMES: tuple[Any, ...] = (True, 1.5, -1, 10**400, "yesterday", ["x", {"a": 1}], {"a": {"b": "c"}}, None)
ODD: Any = {"type": 7, "session": ["s"], "parent": {"id": "e"}, "origin": False}
ODD_EVENTS = (
    *[
        StoredEvent(id=f"odd{n}", type="t", source="web", received=NOW + n, profile="ann", time=time)
        for n, time in enumerate(ODD_TIMES)
    ],
    StoredEvent(id="other", source="web", received=NOW + 100, profile="ann", **ODD),
)


DAY = 86_400_000
# An event occurred when it says so, else at its time as it is stored, else when it was received.
TIMED = tuple(
    StoredEvent(id=id, type="t", source="web", received=NOW, profile="ann", time=time, occurred=occurred)
    for id, time, occurred in (
        ("plain", None, None),
        ("timed", written_time(NOW - 2 * DAY), None),
        ("corrected", written_time(NOW - 2 * DAY), NOW - DAY),
        ("inherited", None, NOW - 3 * DAY),
        ("future", written_time(NOW + DAY), NOW),
        ("ancient", "0001-01-01T00:00:00.000Z", None),
        ("other", "2024-05-01", None),
        ("earlier", NOW - 2 * DAY, None),
    )
)


class SearchContract:
    """The tests; one promise each."""

    @pytest.fixture
    def refresh(self, store: Store) -> Refresh:
        async def nothing() -> None:
            return None

        return nothing

    @pytest.fixture
    def filled(self, store: Store, refresh: Refresh) -> Filled:
        """A function that returns a store with some units, which tests do not change; `name` identifies the units."""

        async def fill(name: str, units: Iterable[Unit]) -> Store:
            for one in units:
                await store.commit(one)
            await refresh()
            return store

        return fill

    @pytest.fixture
    async def shelf(self, filled: Filled) -> Store:
        return await filled("shelf", SHELVED)

    @pytest.mark.parametrize("kind", SEARCHABLE)
    async def test_a_search_of_an_empty_store_finds_nothing(self, filled: Filled, kind: str) -> None:
        assert await first(await filled("nothing", ()), kind) == Page()

    @pytest.mark.parametrize(("text", "expected"), [
        ("", "e4 e3 e2 e1"),
        ("*", "e4 e3 e2 e1"),
        ("id:e1", "e1"),
        ("id:e2", "e2"),
        ("id:(e1 OR e3)", "e3 e1"),
        ("e3", "e3"),
        ("type:order-*", "e2 e1"),
        ("type:order", ""),
        ("profile:ann", "e3 e1"),
        ("profile:ann type:page-view", "e3"),
        ("NOT profile:*", "e4"),
        ("session:visit", "e4 e1"),
        ("source:web AND NOT type:order-paid", "e2"),
        ("parent:e1", "e3"),
        ("e1", "e3 e1"),
        ("origin:flow OR time:2024", "e4 e3"),
        ("origin:client", "e4 e2 e1"),
        ("cli* -e4", "e2 e1"),
        ("properties.total:12", "e3 e2 e1"),
        ('properties.total:"12"', "e3 e1"),
        ("properties.total:-5.5", "e4"),
        ("properties.total:>0", "e2 e1"),
        ("properties.total:[-10 TO 0]", "e4"),
        ("NOT properties.total:>0", "e4 e3"),
        ("NOT properties.total:12", "e4"),
        ("properties.total:1*", "e3 e2 e1"),
        ("properties.items.sku:b-2", "e1"),
        ("properties.items:*", ""),
        ("properties.gift:true", "e1"),
        ('properties.note:"say \\"hi\\""', "e1"),
        ('context.page.url:"https://shop.example/cart?x=1&y=2"', "e1"),
        ("properties.reason:ärger", "e2"),
        ("properties.a.b:1", "e4 e3"),
        ("properties.a:*", ""),
        ("properties.long:*", ""),
        ("properties.none:*", ""),
        ("properties.empty:*", "e4"),
        ('properties.empty:""', "e4"),
        ("properties.nothing:x", ""),
        ("context:*", "e1"),
        (f"received:{NOW + 1000}", "e2"),
        (f"received:>{NOW + 1000}", "e4 e3"),
        (f"received:[{NOW} TO {NOW + 1000}]", "e2 e1"),
        (f"NOT received:<={NOW + 1000}", "e4 e3"),
        ("received:>now", "e4 e3 e2"),
        ("received:2023", ""),
    ])  # fmt: skip
    async def test_events_are_found(self, shelf: Store, text: str, expected: str) -> None:
        assert " ".join(await ids(shelf, text)) == expected

    async def test_a_search_returns_documents_as_they_were_stored(self, shelf: Store) -> None:
        assert (await first(shelf, limit=4)).items == SHELF[::-1]

    @pytest.mark.parametrize(("kind", "text", "expected"), [
        ("profiles", "", "bob ann"),
        ("profiles", "traits.color:red", "ann"),
        ("profiles", "id:bob", "bob"),
        ("profiles", "metadata.created:*", "bob ann"),
        ("profiles", "loser", ""),
        ("sessions", "", "visit v-2 v-1"),
        ("sessions", "id:visit source:app", "visit"),
        ("sessions", "profile:ann -source:app", "v-2 v-1"),
        ("sessions", f"created:<{NOW + 2}", "v-1"),
        ("runs", "", "r-3 r-2 r-1"),
        ("runs", "event:e-1", "r-2 r-1"),
        ("runs", "id:r-3", "r-3"),
        ("runs", "session:s-1", "r-2"),
        ("runs", f"outcome:failed flow:greet at:>{NOW + 1}", "r-3 r-2"),
        ("rejected", "", "x-2 x-1"),
        ("rejected", "reason:type", "x-1"),
        ("rejected", 'reason:"is mi"', "x-1"),
        ("rejected", "reason:no*", "x-2"),
        ("rejected", "x-2", "x-2"),
        ("rejected", "profile:ann", "x-2"),
        ("rejected", "ann", "x-2"),
        ("rejected", "NOT profile:*", "x-1"),
    ])  # fmt: skip
    async def test_all_kinds_are_found(self, filled: Filled, kind: str, text: str, expected: str) -> None:
        assert " ".join(await ids(await filled("kinds", (OF_ALL_KINDS,)), text, kind)) == expected

    @pytest.mark.parametrize("event", LARGE_NUMBERS, ids=lambda event: f"{len(str(event.properties['n']))} digits")
    async def test_a_large_number_is_found_by_its_digits_and_by_ranges(self, filled: Filled, event: Any) -> None:
        store, n = await filled("large numbers", (Unit(events=LARGE_NUMBERS),)), event.properties["n"]
        assert await walk(store, f'properties.n:"{n}"') == [event]
        assert await walk(store, f'"{n}"') == [event]
        assert await ids(store, f'properties.near:>"{n}"') == await ids(store, f'properties.n:>="{n}"')
        assert event in await walk(store, f'properties.n:>="{n}"')
        assert event not in await walk(store, f'properties.n:>"{n}"')

    @pytest.mark.parametrize(
        "text",
        [
            *("", "time:*", "NOT time:*", "time:true", "time:(x OR c)", "time:y*", f"time:{10**400}", "true", "7"),
            *("type:7", "session:s", "parent:*", f"received:>={NOW + 4}", "id:odd1", "profile:ann"),
        ],
    )
    async def test_records_with_values_of_other_types_are_listed_and_found(self, filled: Filled, text: str) -> None:
        store = await filled("odd", (Unit(profiles=(write("ann"),), events=ODD_EVENTS),))
        asked = parse(text, SEARCHABLE["events"], NOW)
        stored = await walk(store, "")
        assert await ids(store, text) == [one.id for one in stored if matches(asked, one)]
        assert {one.id: one.time for one in stored} == {one.id: one.time for one in ODD_EVENTS}

    @pytest.mark.parametrize(("text", "expected"), [
        (f"occurred:{NOW}", "earlier future other plain"),
        (f"occurred:>={NOW}", "earlier future other plain"),
        (f"occurred:<{NOW - DAY}", "ancient inherited timed"),
        (f"NOT occurred:<{NOW - DAY}", "corrected earlier future other plain"),
        (f"occurred:[{NOW - 2 * DAY} TO {NOW - DAY}]", "corrected timed"),
        (f"NOT (NOT occurred:{NOW - 2 * DAY})", "timed"),
        ("occurred:now-3d", "inherited"),
        ("occurred:0001", "ancient"),
        ("occurred:<=0001", "ancient"),
        ("occurred:>9998", ""),
        ("occurred:*", "ancient corrected earlier future inherited other plain timed"),
        ("occurred:[* TO *]", "ancient corrected earlier future inherited other plain timed"),
        ("NOT occurred:*", ""),
        (f"occurred:{NOW} time:*", "earlier future other"),
    ])  # fmt: skip
    async def test_events_are_found_by_when_they_occurred(self, filled: Filled, text: str, expected: str) -> None:
        store = await filled("timed", (Unit(profiles=(write("ann"),), events=TIMED),))
        assert " ".join(sorted(await ids(store, text))) == expected
        asked = parse(text, SEARCHABLE["events"], NOW)
        assert " ".join(sorted(one.id for one in TIMED if matches(asked, one))) == expected

    async def test_a_profile_is_found_as_it_is_now(self, store: Store, refresh: Refresh) -> None:
        await store.commit(Unit(profiles=(coloured("ann", "red"),)))
        await store.commit(Unit(profiles=(coloured("ann", "blue", 1),)))
        await refresh()
        assert await ids(store, "traits.color:red", "profiles") == []
        (ann,) = await walk(store, "traits.color:blue", "profiles")
        assert ann == await store.profile("ann")

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
    @pytest.mark.parametrize("text", ["", "properties.even:true", "profile:ann", "properties.n:>=0"])
    async def test_the_pages_contain_every_document_once(self, filled: Filled, text: str, limit: int) -> None:
        store = await filled("numbered", (Unit(profiles=(write("ann"),), events=NUMBERED),))
        found = await walk(store, text, limit=limit)
        asked = parse(text, SEARCHABLE["events"], NOW)
        assert sorted(one.id for one in found) == sorted(one.id for one in NUMBERED if matches(asked, one))
        assert [one.received for one in found] == sorted((one.received for one in found), reverse=True)

    async def test_the_last_page_says_that_it_is_the_last(self, shelf: Store) -> None:
        assert (await first(shelf, limit=4)).after is None
        assert (await first(shelf, limit=3)).after is not None

    async def test_documents_stored_meanwhile_do_not_shift_the_next_page(self, store: Store, refresh: Refresh) -> None:
        await store.commit(Unit(events=SHELF))
        await refresh()
        page = await first(store, limit=2)
        await store.commit(Unit(events=(StoredEvent(id="e5", type="t", source="web", received=NOW + 4000),)))
        await refresh()
        rest = await first(store, limit=3, after=page.after)
        assert [*page.items, *rest.items] == [*SHELF[::-1]]

    @pytest.mark.parametrize("cursor", ["", "nonsense", write_cursor("runs", 1), write_cursor("events", "a", "b", "c")])
    async def test_a_bad_cursor_is_refused(self, shelf: Store, cursor: str) -> None:
        with pytest.raises(BadCursor):
            await first(shelf, after=cursor)

    @pytest.mark.parametrize("kind", SEARCHABLE)
    async def test_a_store_finds_the_documents_that_match(self, store: Store, refresh: Refresh, kind: str) -> None:
        rng = Random(f"{kind} by chance")
        units = [unit(rng, n) for n in range(30)]
        for one in units:
            await store.commit(one)
        await refresh()
        stored = [one for each in units for one in documents(each, kind)]
        assert {one.id for one in stored} == set(await ids(store, "", kind))
        for _ in range(100):
            text = query(rng, kind)
            asked = parse(text, SEARCHABLE[kind], NOW)
            expected = [one for one in stored if matches(asked, one)]
            expected.sort(key=lambda one: getattr(one, SEARCHABLE[kind].newest.rpartition(".")[2]), reverse=True)
            assert await ids(store, text, kind, limit=rng.choice([4, 1000])) == [one.id for one in expected], text


def documents(unit: Unit, kind: str) -> Iterable[Any]:
    match kind:
        case "profiles":
            return [write.profile for write in unit.profiles if write.profile.merged_into is None]
        case "sessions":
            return [write.session for write in unit.sessions]
    return next(unit.of(each) for each in KINDS if each.name == kind)
