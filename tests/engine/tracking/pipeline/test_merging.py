"""Merging by keys and aliases, through trackers: what joins, what must not, what of it is recorded, and undone."""

import asyncio
from itertools import permutations
from typing import Any

import pytest

from engine.ports.history import events_of, sessions_of
from engine.ports.resolve import NotFound
from engine.ports.store import Store
from engine.profile.digest import digest
from engine.profile.document import LinkKind
from engine.profile.key import KeyRules
from engine.project.project import Settings
from engine.project.source import Source
from engine.tracking.operations.unmerging import Unmerged, unmerge_served, unmerge_stored
from tests.engine.tracking.collector import Collector, holder
from tests.engine.tracking.conftest import Opener
from tests.projects import SHOP, payload, project

LOGIN = """
flow: login
trigger: {event: login}
nodes:
  who:
    profile.merge:
      pii.email: "{{ event.properties.email }}"
      pii.phone: "{{ event.properties.phone }}"
    next: {merged: note, unchanged: note}
  note: {profile.set: {traits.city: "{{ event.properties.city | default('?') }}"}}
"""
ALIAS = """
flow: alias
trigger: {event: alias}
nodes:
  who: {profile.alias: "{{ event.properties.other }}", next: {missing: nobody, failed: nobody}}
  nobody: {log: nobody}
"""
COUNT = """
flow: count
trigger: {event: counted}
nodes:
  add: {profile.increment: {traits.count: 1}}
"""
RULES = KeyRules(forms=((("pii", "phone"), "phone"),), region="DE", max_per_key=3)
SETTINGS = Settings(keys=RULES, shares={"finished": 0})
LINK = Source(source="page", identify="link")
INFO = "info@example.com"


class Shop(Collector):
    """A collector whose payloads come one after another."""

    async def track(self, body: dict[str, Any], **more: Any) -> dict[str, Any]:
        self.clock.advance(1)
        return await super().track(body, **more)


def collector(store: Store) -> Collector:
    return Shop(project(LOGIN, ALIAS, COUNT, settings=SETTINGS, sources=(SHOP, LINK)), store)


def event(type: str, **properties: Any) -> dict[str, Any]:
    return {"type": type, "properties": properties}


async def known_by(collector: Collector, session: str, *types: str) -> str:
    """A profile with so many events of its own; its id."""
    answer = await collector.track(payload(*(types or ("counted",)), session=session), debug=False)
    id: str = answer["profile"]["id"]
    return id


async def login(collector: Collector, session: str, source: str = "shop", **properties: Any) -> dict[str, Any]:
    return await collector.track({**payload(event("login", **properties), session=session), "source": {"id": source}})


def steps_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    (one,) = answer["debugging"]["execution"].values()
    return next(run["steps"] for run in one["runs"] if "steps" in run)


# ---- joining --------------------------------------------------------------------------------------------------------


async def test_any_of_several_keys_joins_and_one_that_is_absent_is_left_out(store: Store) -> None:
    shop = collector(store)
    await login(shop, "phone", phone="030 901820")
    await login(shop, "laptop", email="Ann@Example.com")
    answer = await login(shop, "tablet", email="ann@example.com ", phone="+49 30 901820")
    profile = await shop.profile(answer["profile"]["id"])
    assert len(profile["ids"]) == 3
    assert profile["pii"] == {"email": "ann@example.com", "phone": "+4930901820"}


async def test_an_alias_joins_with_the_profile_that_has_the_id(store: Store) -> None:
    shop = collector(store)
    phone, laptop = await known_by(shop, "phone"), await known_by(shop, "laptop")
    for other in (phone, phone, laptop):  # again, and of itself
        await shop.track(payload(event("alias", other=other), session="laptop"))
    profile = await shop.profile(laptop)
    assert (set(profile["ids"]), profile["traits"]["count"]) == ({phone, laptop}, 2)
    person = await store.profile(phone)
    assert person is not None
    assert [(link.left, link.kind, link.right) for link in person.links.values()] == [(laptop, "proof", phone)]


async def test_an_alias_of_an_unknown_id_joins_no_profiles(store: Store) -> None:
    shop = collector(store)
    answer = await shop.track(payload(event("alias", other="made up")))
    assert steps_of(answer)[0]["port"] == "missing"


@pytest.mark.parametrize(("source", "kind", "pii"), [("shop", "proof", {}), ("page", "claim", {"email": INFO})])
async def test_a_value_that_many_have_joins_only_so_many(
    store: Store, source: str, kind: LinkKind, pii: dict[str, str]
) -> None:
    shop = collector(store)
    for session in range(6):
        body = payload({**event("login", email=INFO), "id": f"e-{session}"}, session=f"s-{session}")
        answer = await shop.track({**body, "source": {"id": source}}, debug=False)
    first = await holder(store, kind, "pii.email", INFO)
    assert first is not None
    assert len((await shop.profile(first))["ids"]) == 1 + 3
    last = await shop.profile(answer["profile"]["id"])
    assert (len(last["ids"]), last["pii"]) == (1, pii)
    assert await store.runs_of("e-1") == []


async def test_the_trace_of_a_proof_beyond_the_limit_is_kept(store: Store) -> None:
    shop = collector(store)
    for session in range(5):
        body = payload({**event("login", email=INFO), "id": f"e-{session}"}, session=f"s-{session}")
        await shop.track(body, debug=False)
    (run,) = await store.runs_of("e-4")
    assert b"would join more than 3 profiles" in bytes(run.trace)


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
async def test_the_order_of_keys_and_aliases_makes_no_difference(store: Store, order: tuple[int, ...]) -> None:
    shop = collector(store)
    ids = [await known_by(shop, session) for session in "abcd"]
    things = [
        payload(event("alias", other=ids[0]), session="b"),
        payload(event("alias", other=ids[3]), session="c"),
        payload(event("alias", other=ids[2]), session="a"),
    ]
    for turn in order:
        await shop.track(things[turn])
    people = [await store.profile(id) for id in ids]
    assert len({digest(profile) for profile in people if profile}) == 1
    assert people[0] is not None
    assert people[0].id == ids[0]  # the oldest


async def test_merges_at_once_in_several_processes_come_to_one_profile(opened: Opener) -> None:
    shops = [collector(opened()) for _ in range(3)]
    bodies = [payload(event("login", email="ann@example.com"), session=f"s-{n}") for n in range(4)] * 2
    answers = await asyncio.gather(*(shops[n % 3].track(body) for n, body in enumerate(bodies)))
    people = [await shops[0].store.profile(answer["profile"]["id"]) for answer in answers]
    assert len({profile.id for profile in people if profile}) == 1
    assert people[0] is not None
    assert len(people[0].ids) == 4


# ---- why ------------------------------------------------------------------------------------------------------------


async def test_a_link_names_its_cause_and_the_values_that_it_hid(store: Store) -> None:
    shop = collector(store)
    first = (await login(shop, "phone", email="ann@example.com", city="Rome"))["profile"]["id"]
    await login(shop, "laptop", city="Oslo", phone="030 901820")
    body = payload({**event("login", email="ann@example.com", city="Bonn"), "id": "e-9"}, session="laptop")
    answer = await shop.track(body)
    profile = await store.profile(first)
    assert profile is not None
    by_key = {link.left: link for link in profile.links.values() if link.right.startswith("pii.email:")}
    link = by_key[answer["profile"]["id"] if answer["profile"]["id"] != first else profile.ids[1]]
    why = link.why
    assert why is not None
    assert (why.event, why.type, why.flow, why.node, why.won) == ("e-9", "login", "login", "who", first)
    assert (len(by_key), "ann" in link.right, link.kind) == (2, False, "proof")
    assert [each.why.event != "e-9" for each in by_key.values() if each.why and each.left == first] == [True]
    assert [(clash.path, sorted((clash.left, clash.right))) for clash in why.clashes] == [
        ("traits.city", ['"Oslo"', '"Rome"'])
    ]
    (operation,) = [op for op in steps_of(answer)[0]["operations"] if op["op"] == "merge"]
    assert (operation["link"], operation["why"]["event"]) == (link.id, "e-9")


async def test_the_same_value_has_another_name_in_another_store(opened: Opener) -> None:
    from storage.memory import MemoryStore

    names = set()
    for store in (opened(), MemoryStore()):
        shop = collector(store)
        await login(shop, "phone", email="ann@example.com")
        id = (await login(shop, "laptop", email="ann@example.com"))["profile"]["id"]
        profile = await store.profile(id)
        assert profile is not None
        names |= {link.right for link in profile.links.values()}
    assert len(names) == 2


async def test_a_claim_of_a_key_joins_only_those_who_claim_it(store: Store) -> None:
    shop = collector(store)
    phone = (await login(shop, "phone", email="ann@example.com"))["profile"]["id"]
    pages = [
        (await login(shop, session, source="page", email="ann@example.com"))["profile"]["id"]
        for session in ("page-1", "page-2", "page-3")
    ]
    assert (await shop.profile(phone))["ids"] == [phone]
    profile = await store.profile(pages[2])
    assert profile is not None
    assert {link.kind for link in profile.links.values()} == {"claim"}
    assert set(profile.ids) == set(pages)


async def test_a_proof_sets_apart_who_brings_it_and_joins_those_who_have_proven_the_key(store: Store) -> None:
    """The page's user comes to be known: she leaves the joint profile of the others, who stay together."""
    shop = collector(store)
    phone = (await login(shop, "phone", email="ann@example.com"))["profile"]["id"]
    sessions = ("page-1", "page-2", "page-3")
    for session in sessions:
        await login(shop, session, source="page", email="ann@example.com", city=session)
    acting = [(await store.session("page", session)) for session in sessions]
    ids = [session.profile for session in acting if session is not None and session.profile is not None]
    body = {**payload(event("login", email="ann@example.com"), session="till"), "profile": {"id": ids[0]}}
    answer = await shop.track(body)
    assert answer["profile"]["id"] == phone
    assert set((await shop.profile(phone))["ids"]) == {phone, ids[0]}
    others = await shop.profile(ids[1])
    assert (others["ids"], others["traits"]["city"]) == ([ids[1], ids[2]], "page-3")
    assert await holder(store, "claim", "pii.email", "ann@example.com") == min(ids[1:])
    again = await login(shop, "page-4", source="page", email="ann@example.com")
    assert set((await shop.profile(ids[1]))["ids"]) > {ids[1], ids[2]}
    assert again["profile"]["id"] not in (phone, ids[0])


# ---- unmerging ------------------------------------------------------------------------------------------------------


async def two_in_one(shop: Collector) -> tuple[str, str, str]:
    """Two profiles with one event each, joined by an address; their ids, and the id of the laptop's link."""
    phone, laptop = await known_by(shop, "phone"), await known_by(shop, "laptop")
    await login(shop, "phone", email="ann@example.com", city="Rome")
    await login(shop, "laptop", email="ann@example.com", city="Oslo")
    profile = await shop.store.profile(phone)
    assert profile is not None
    (link,) = [link.id for link in profile.links.values() if link.left == laptop]
    return phone, laptop, link


@pytest.mark.parametrize("served", [True, False], ids=["served", "on the store"])
async def test_after_unmerging_each_side_has_its_own(opened: Opener, served: bool) -> None:
    store = opened()
    shop = collector(store)
    phone, laptop, link = await two_in_one(shop)
    person = await store.profile(laptop)
    assert person is not None
    events = await events_of(store, person, 10)
    assert [event.type for event in events] == ["login", "login", "counted", "counted"]
    assert [session.id for session in await sessions_of(store, events)] == ["laptop", "phone"]

    if served:
        undone = await unmerge_served(shop.pipeline, laptop, link[:8])
    else:
        undone = await unmerge_stored(opened(), shop.pipeline.project, shop.clock, laptop, link)
    assert [known.profile.id for known in undone.profiles] == [phone, laptop]
    assert undone.still == ()
    for id, session, city in ((phone, "phone", "Rome"), (laptop, "laptop", "Oslo")):
        await shop.track(payload("counted", session=session))
        profile = await shop.profile(id)
        assert (profile["ids"], profile["traits"]) == ([id], {"count": 2, "city": city})
        person = await store.profile(id)
        assert person is not None
        events = await events_of(store, person, 10)
        assert [(event.type, event.session) for event in events] == [
            ("counted", session), ("login", session), ("counted", session)
        ]  # fmt: skip


async def test_unmerged_profiles_are_joined_again_only_by_another_link(store: Store) -> None:
    shop = collector(store)
    phone, laptop, link = await two_in_one(shop)
    await unmerge_served(shop.pipeline, phone, link)
    answer = await login(shop, "laptop", email="ann@example.com")
    assert (steps_of(answer)[0]["port"], "undone" in steps_of(answer)[0]["reason"]) == ("unchanged", True)
    assert (await shop.profile(laptop))["ids"] == [laptop]
    await shop.track(payload(event("alias", other=phone), session="laptop"))
    assert set((await shop.profile(laptop))["ids"]) == {phone, laptop}
    undone = await unmerge_served(shop.pipeline, phone, link)
    chain = [(other.left, other.right == phone) for other in undone.still]
    assert (len(undone.profiles), chain) == (1, [(laptop, True), (phone, False)])


async def test_several_unmerges_one_after_another_take_a_profile_to_pieces(store: Store) -> None:
    shop = collector(store)
    ids = [await known_by(shop, session) for session in "abcde"]
    for session, other in zip("bcde", ids, strict=False):
        await shop.track(payload(event("alias", other=other), session=session))
    profile = await store.profile(ids[4])
    assert profile is not None
    assert len(profile.ids) == 5
    for link in profile.links.values():
        await unmerge_served(shop.pipeline, link.right, link.id)
    for id in ids:
        assert (await shop.profile(id))["ids"] == [id]
        assert (await shop.profile(id))["traits"] == {"count": 1}


async def test_ids_in_the_middle_lead_to_the_side_that_they_belong_to(store: Store) -> None:
    """c into b, b into a; then a and b are set apart: c goes on leading to b; then it stands alone."""
    shop = collector(store)
    a, b, c = [await known_by(shop, session) for session in "abc"]
    await shop.track(payload(event("alias", other=b), session="c"))
    await shop.track(payload(event("alias", other=a), session="b"))
    profile = await store.profile(c)
    assert profile is not None
    links = {frozenset((link.left, link.right)): link.id for link in profile.links.values()}
    await unmerge_served(shop.pipeline, c, links[frozenset((a, b))])
    assert [(await shop.profile(id))["id"] for id in (a, b, c)] == [a, b, b]
    await unmerge_served(shop.pipeline, c, links[frozenset((b, c))])
    assert [(await shop.profile(id))["id"] for id in (a, b, c)] == [a, b, c]


async def test_conditional_segments_are_true_for_each_side(store: Store) -> None:
    shop = Shop(
        project(LOGIN, COUNT, settings=SETTINGS, segments={"busy": "profile.traits.count >= 2"}, sources=(SHOP, LINK)),
        store,
    )
    phone, laptop, link = await two_in_one(shop)
    assert (await shop.profile(phone))["segments"] == ["busy"]
    await unmerge_served(shop.pipeline, phone, link)
    assert [(await shop.profile(id))["segments"] for id in (phone, laptop)] == [[], []]


@pytest.mark.parametrize(
    ("id", "link", "message"),
    [
        pytest.param("nobody", "x" * 32, "no profile has the id", id="nobody"),
        pytest.param(None, "x" * 32, "no link", id="no link"),
        pytest.param(None, "abc", "at least 6 characters", id="a beginning that is too short"),
    ],
)
async def test_an_unknown_link_cannot_be_undone(store: Store, id: str | None, link: str, message: str) -> None:
    shop = collector(store)
    phone, _, _ = await two_in_one(shop)
    with pytest.raises(NotFound, match=message):
        await unmerge_served(shop.pipeline, id or phone, link)


async def test_unmerging_beside_traffic_of_several_processes_loses_nothing(opened: Opener) -> None:
    shops = [collector(opened()) for _ in range(2)]
    phone, laptop, link = await two_in_one(shops[0])
    counting = [
        shops[n % 2].track(payload("counted", session=("phone", "laptop")[n % 3 % 2]), debug=False) for n in range(60)
    ]
    both: list[Any] = await asyncio.gather(
        *counting[:30], unmerge_served(shops[1].pipeline, laptop, link), *counting[30:]
    )
    undone = both[30]
    assert isinstance(undone, Unmerged)
    counts = [(await shops[0].profile(id))["traits"]["count"] for id in (phone, laptop)]
    turns = [n % 3 % 2 for n in range(60)]
    assert counts == [1 + turns.count(0), 1 + turns.count(1)]
