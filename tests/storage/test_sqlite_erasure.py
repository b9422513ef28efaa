"""Erasure in SQLite: some rows at a time, so that other queries are answered in between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import pytest

from engine.ports.erasure import DataSubject
from engine.ports.records import IdentityKey, Unit
from engine.ports.store import Store
from storage.sqlite import erasure
from storage.sqlite.store import SqliteStore
from tests.storage.build import write
from tests.storage.erasing_contract import ErasingContract, visit

MANY = 40


@pytest.fixture(autouse=True)
def _some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "STRETCH", 2)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = SqliteStore.open(tmp_path / "store.db")
    yield store
    await store.close()


@pytest.fixture
async def second(store: Store, tmp_path: Path) -> AsyncIterator[Store]:
    second = SqliteStore.open(tmp_path / "store.db")
    yield second
    await second.close()


class TestErasingTwoRowsAtATime(ErasingContract):
    pass


@pytest.fixture
async def full(store: Store) -> Store:
    """A store with many sessions and keys of ann, among those of others."""
    owners = ["ann" if n % 3 else "bo" for n in range(MANY)]
    await store.commit(
        Unit(
            profiles=(write("ann"), write("bo")),
            sessions=tuple(visit(f"{n}", who) for n, who in enumerate(owners)),
            keys=tuple(IdentityKey(f"pii.phone:{n:02}", who) for n, who in enumerate(owners)),
        )
    )
    return store


@pytest.mark.parametrize("name", ["data_subject", "erase"])
async def test_other_queries_are_answered_during_an_erasure(full: Store, name: str) -> None:
    done: list[str] = []

    async def noted(name: str, work: Awaitable[Any]) -> None:
        await work
        done.append(name)

    long = (
        full.data_subject(frozenset({"ann"})) if name == "data_subject" else full.erase(DataSubject(frozenset({"ann"})))
    )
    await asyncio.gather(noted(name, long), noted("counts", full.counts()))
    assert done == ["counts", name]


async def test_all_documents_of_a_profile_are_found_and_erased(full: Store) -> None:
    subject = await full.data_subject(frozenset({"ann"}))
    assert subject.sessions == {("web", str(n)) for n in range(MANY) if n % 3}
    erased = await full.erase(subject)
    assert (erased["sessions"], erased["keys"]) == (26, 26)
    counts = await full.counts()
    assert (counts["sessions"], counts["keys"]) == (14, 14)
