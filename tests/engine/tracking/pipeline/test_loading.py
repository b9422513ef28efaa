"""Loading: what a unit starts from, while others write."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from engine.ports.store import Conflict, Store
from engine.profile.document import Profile
from engine.tracking.intake.payload import read_track
from engine.tracking.unit.request import UnitRequest
from tests.engine.tracking.collector import Collector
from tests.engine.tracking.flow_texts import COUNT, LOGIN
from tests.projects import SHOP, payload, project


class Meanwhile:
    """A store in which something happens just before the next profile is read."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.happens: Callable[[], Awaitable[Any]] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def profile(self, id: str) -> Profile | None:
        happens, self.happens = self.happens, None
        if happens is not None:
            await happens()
        return await self.store.profile(id)


def request(shop: Collector, body: dict[str, Any]) -> UnitRequest:
    return UnitRequest.of(read_track(msgspec.json.encode(body)), SHOP, shop.clock, shop.pipeline.new_id)


@pytest.fixture
async def shops(store: Store) -> tuple[Collector, Collector, Meanwhile]:
    """Two processes at one store."""
    between = Meanwhile(store)
    ours, theirs = Collector(project(COUNT, LOGIN), between), Collector(project(COUNT, LOGIN), store)
    for each in (ours, theirs):
        await each.tracker.start()
    return ours, theirs, between


async def test_a_session_is_read_again_after_the_profile_that_was_read_after_it(
    shops: tuple[Collector, Collector, Meanwhile],
) -> None:
    ours, theirs, between = shops
    between.happens = lambda: theirs.track(payload("hit"))
    loaded = await ours.pipeline.loading.load(request(ours, payload("hit")), None)
    assert loaded.cached is not None
    assert loaded.session is not None
    assert (loaded.cached.profile.version, loaded.session.version) == (1, 1)


async def test_a_session_that_belongs_to_another_profile_by_now_is_a_conflict(
    shops: tuple[Collector, Collector, Meanwhile],
) -> None:
    ours, theirs, between = shops
    named = (await theirs.track(payload("hit", session="other")))["profile"]
    between.happens = lambda: theirs.track(payload("hit", profile=named))
    with pytest.raises(Conflict):
        await ours.pipeline.loading.load(request(ours, payload("hit")), None)


async def test_cached_documents_are_the_same_as_loaded_ones(shops: tuple[Collector, Collector, Meanwhile]) -> None:
    ours, _, _ = shops
    first = request(ours, payload("hit"))
    assert ours.pipeline.loading.at_hand(first, None) is None
    answer = await ours.track(payload("hit"))
    named = request(ours, payload("hit", profile=answer["profile"]))
    for again in (first, named):
        assert ours.pipeline.loading.at_hand(again, None) == await ours.pipeline.loading.load(again, None)
    strange = request(ours, payload("hit", profile={"id": "0" * 32}))
    assert ours.pipeline.loading.at_hand(strange, None) is None
