"""A stored document that is no longer one profile is set apart before anything runs on it."""

import asyncio
from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from engine.ports.ids import cause_of
from engine.ports.records import IdentityKey, ProfileWrite, Session, SessionWrite, Unit
from engine.ports.resolve import require_profile, resolve_profile
from engine.ports.store import Store
from engine.profile.apply import apply_operations
from engine.profile.document import Link, LinkKind, Part, Profile, new_profile
from engine.profile.grouping import tombstone
from engine.profile.linking import key_link, new_link
from engine.profile.operations import Set
from engine.tracking.pipeline.settling import is_settled, settled_profile
from tests.engine.tracking.collector import Collector, holder
from tests.engine.tracking.conftest import Opener
from tests.projects import payload, project

COUNT = """
flow: count
trigger: {event: counted}
nodes:
  add: {profile.increment: {traits.count: 1}}
"""
LOOK = """
flow: look
trigger: {event: look}
nodes:
  who: {lookup.profile: {id: b}, next: {found: note}}
  note: {profile.set: {traits.saw: "{{ nodes.who.out.ids }}"}}
"""
EMAIL = "ann@example.com"


async def stored(store: Store, *links: tuple[str, LinkKind]) -> Profile:
    """Store one document for the ids a, b and c with links of theirs to one key, as an upgrade may leave it."""
    cause = cause_of(await store.secret(), "pii.email", EMAIL)
    made: Mapping[str, Link] = {
        link.id: link for link in [new_link(id, kind, key_link(cause, kind)) for id, kind in links]
    }
    parts: dict[str, Part] = {}
    for turn, id in enumerate("abc"):
        profile, _ = apply_operations(new_profile(id, turn + 1), id, (Set(("traits", "name"), id),), turn + 1)
        parts |= profile.parts
    whole = Profile("a", 1, version=1, parts=parts, links=dict(made))
    stones = [tombstone(new_profile(id, parts[id].created), "a") for id in "bc"]
    sessions = [SessionWrite(Session("shop", f"s-{id}", 1, profile=id, version=1), 0) for id in "abc"]
    keys = tuple([IdentityKey(key_link(cause, kind), "a") for kind in sorted({kind for _, kind in links})])
    writes = [ProfileWrite(each, 0) for each in (whole, *stones)]
    await store.commit(Unit(profiles=tuple(writes), sessions=tuple(sessions), keys=keys))
    return whole


CLAIMED: list[tuple[str, LinkKind]] = [("a", "claim"), ("a", "proof"), ("b", "claim"), ("c", "claim")]


async def test_an_event_of_one_who_was_joined_by_a_claim_is_its_own(store: Store) -> None:
    await stored(store, *CLAIMED)
    shop = Collector(project(COUNT), store)
    answer = await shop.track(payload("counted", session="s-b"))
    assert answer["profile"]["id"] == "b"
    assert (await shop.profile("b"))["traits"] == {"name": "c", "count": 1}
    assert (await shop.profile("c"))["ids"] == ["b", "c"]
    assert (await shop.profile("a"))["traits"] == {"name": "a"}
    assert await holder(store, "claim", "pii.email", EMAIL) == "b"
    assert await holder(store, "proof", "pii.email", EMAIL) == "a"


async def test_all_processes_set_the_same_apart(opened: Opener) -> None:
    await stored(opened(), *CLAIMED)
    shops = [Collector(project(COUNT), opened()) for _ in range(2)]
    await asyncio.gather(
        *[shops[turn % 2].track(payload("counted", session=f"s-{id}")) for turn, id in enumerate("abcabc")]
    )
    assert (await shops[0].profile("a"))["traits"] == {"name": "a", "count": 2}
    assert (await shops[1].profile("b"))["traits"] == {"name": "c", "count": 4}


async def test_ids_that_nothing_joins_are_set_apart(store: Store) -> None:
    await stored(store)
    shop = Collector(project(COUNT), store)
    await shop.track(payload("counted", session="s-c"))
    assert [(await shop.profile(id))["ids"] for id in "abc"] == [["a"], ["b"], ["c"]]


async def test_a_look_up_finds_one_of_the_profiles_only(store: Store) -> None:
    await stored(store, *CLAIMED)
    shop = Collector(project(LOOK), store)
    answer = await shop.track(payload("look", session="other"))
    assert (await shop.profile(answer["profile"]["id"]))["traits"] == {"saw": ["b", "c"]}


async def test_a_reader_sees_one_of_the_profiles_and_writes_nothing(store: Store) -> None:
    await stored(store, ("a", "proof"), ("b", "claim"), ("c", "claim"))
    assert (await require_profile(store, "c")).ids == ("b", "c")
    assert (await require_profile(store, "a")).ids == ("a",)
    assert (await store.profile("c")) == (await store.profile("a"))
    assert await resolve_profile(store, "nobody") is None


async def test_a_settled_document_is_not_written_again(store: Store) -> None:
    await stored(store, *[(id, "proof") for id in "abc"])
    profile = await settled_profile(store, project(COUNT), "b", 50)
    assert profile is not None
    assert (profile.version, profile.ids) == (1, ("a", "b", "c"))


@pytest.mark.parametrize(
    ("links", "settled"),
    [
        pytest.param([(id, "claim") for id in "abc"], True, id="claims of those of whom nothing is proven"),
        pytest.param([(id, "proof") for id in "abc"], True, id="proofs"),
        pytest.param(CLAIMED, False, id="claims of one who is proven"),
        pytest.param([("a", "proof"), ("b", "proof")], False, id="a part that no link joins"),
        pytest.param([], False, id="no links"),
    ],
)
async def test_a_document_is_settled_if_it_is_one_profile(
    store: Store, links: list[tuple[str, LinkKind]], settled: bool
) -> None:
    assert is_settled(await stored(store, *links)) is settled


def test_a_document_of_one_id_is_settled_unless_a_claim_of_a_proven_one_holds() -> None:
    links = [new_link("a", "claim", "?k"), new_link("a", "proof", "k")]
    assert is_settled(new_profile("a", 1))
    assert not is_settled(replace(new_profile("a", 1), links={link.id: link for link in links}))
