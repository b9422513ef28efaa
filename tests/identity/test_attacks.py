"""Attacks of strangers who know the keys of others, through a public source and without a token.

The model follows each of these stories as well, and at the end all that is stored must fit it.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import json

from engine.ports.store import Store
from storage.memory import MemoryStore
from storage.sqlite.store import SqliteStore
from tests.identity.flows import Sender
from tests.identity.model import Fact, Undo
from tests.identity.simulation import Answered, Doing, Simulation

PHONE, LAPTOP = Sender("pages", "phone"), Sender("pages", "laptop")
THIEF, OTHER_THIEF = Sender("pages", "thief"), Sender("pages", "other thief")
BOB = Sender("pages", "bob")
ANN = "ann"
MOST = 20  # profiles that one claimed key joins with the first


class Story:
    """Events of some senders, one after another, and the answers to them."""

    def __init__(self, store: Store) -> None:
        self.simulation = Simulation([store], b"secret", "story", MOST)
        self._answers = self.simulation.answers

    async def claim(self, sender: Sender, **keys: str) -> dict[str, Any]:
        """Name keys without any proof."""
        return await self._do(self.simulation.identify(self._next(), sender, (keys, ())))

    async def prove(self, sender: Sender, **keys: str) -> dict[str, Any]:
        """Name keys, with a token for the first one."""
        return await self._do(self.simulation.identify(self._next(), sender, (keys, tuple(keys)[:1])))

    async def say(self, sender: Sender, name: str) -> dict[str, Any]:
        """Write a name."""
        return await self._do(self.simulation.say(self._next(), sender, name))

    async def count(self, sender: Sender, tenths: int) -> dict[str, Any]:
        """Count some tenths."""
        return await self._do(self.simulation.track(self._next(), sender, tenths))

    async def alias(self, sender: Sender, other: Sender) -> dict[str, Any]:
        """Name the id of another one."""
        return await self._do(self.simulation.alias(self._next(), sender, other))

    async def undo(self, sender: Sender, key: str) -> None:
        """An operator undoes the claim of a key."""
        fact = Fact(self.simulation.id_of(sender), f"?{key}@story", "claim")
        await self.simulation.do(0, self.simulation.undo_again(Undo(fact)))

    async def shown(self, sender: Sender) -> dict[str, Any]:
        """The view of the sender's profile."""
        shown = await self.simulation.shown(self.simulation.id_of(sender))
        assert shown is not None
        return plain(shown)

    async def ids(self, sender: Sender) -> set[str]:
        """The sessions of the sender's profile, once all fits the model."""
        await self.simulation.check()
        names = {id: each.session or each.visitor for each, id in self.simulation.ids.items()}
        return {names[id] for id in (await self.shown(sender))["ids"]}

    def _next(self) -> int:
        self._answers.append(None)
        return len(self._answers) - 1

    async def _do(self, doing: Doing) -> dict[str, Any]:
        await self.simulation.do(len(self._answers), doing)
        answered = self._answers[-1]
        assert isinstance(answered, Answered)
        assert isinstance(answered.answer, dict)
        return plain(answered.answer)


@pytest.fixture(params=["memory", "sqlite"])
async def story(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Story]:
    store: Store = MemoryStore() if request.param == "memory" else SqliteStore.open(tmp_path / "a.db")
    yield Story(store)
    await store.close()


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document as JSON has it."""
    read: dict[str, Any] = json.decode(json.encode(document))
    return read


def told_ids(answer: dict[str, Any]) -> int:
    """Return how many ids an answer shows that is not withheld."""
    assert "response" in answer, "withheld"
    return len(answer["profile"]["ids"])


async def test_one_claim_of_a_proven_key_changes_nothing(story: Story) -> None:
    await story.prove(PHONE, email=ANN)
    answer = await story.claim(THIEF, email=ANN)
    assert answer["response"]["port"] == "unchanged"
    assert told_ids(await story.count(PHONE, 1)) == 1
    assert await story.ids(PHONE) == {"phone"}
    assert await story.ids(THIEF) == {"thief"}


@pytest.mark.parametrize("strangers", [1, 21, 25])
@pytest.mark.parametrize("before", [True, False])
async def test_any_number_of_claims_leave_a_key_to_whom_it_belongs(story: Story, strangers: int, before: bool) -> None:
    thieves = [Sender("pages", f"thief {number}") for number in range(strangers)]
    if not before:
        await story.prove(PHONE, email=ANN)
    for thief in thieves:
        await story.claim(thief, email=ANN)
    if before:
        await story.claim(PHONE, email=ANN)
        await story.prove(PHONE, email=ANN)
    answer = await story.prove(LAPTOP, email=ANN)
    assert answer["response"]["port"] == "merged"
    assert told_ids(answer) == 2
    assert await story.ids(PHONE) == {"phone", "laptop"}
    joined = thieves[: MOST + 1]
    for thief in (thieves[0], thieves[-1]):
        assert await story.ids(thief) == {each.session for each in (joined if thief in joined else [thief])}


@pytest.mark.parametrize("before", [True, False])
async def test_nothing_that_a_claimer_writes_and_counts_is_hers(story: Story, before: bool) -> None:
    await story.say(THIEF, "thief")
    await story.count(THIEF, 990)
    assert (await story.shown(THIEF))["traits"]["concluded"] == {"entered": 1}
    if before:
        await story.claim(PHONE, email=ANN)
        await story.claim(THIEF, email=ANN)
        assert (await story.shown(PHONE))["segments"] == ["big"]
    answer = await story.prove(PHONE, email=ANN)
    assert answer["response"] == {"port": "unchanged", "count": 0, "name": "nobody", "segments": []}
    await story.claim(THIEF, email=ANN)
    await story.say(THIEF, "thief again")
    await story.count(THIEF, 990)
    answer = await story.count(PHONE, 3)
    assert answer["response"] == {"count": 0.3, "name": "nobody", "segments": []}
    assert (await story.shown(PHONE))["traits"] == {"count": 0.3}
    assert (await story.shown(THIEF))["segments"] == ["big"]
    answer = await story.count(PHONE, 4)
    assert answer["response"]["entered"] == "big"
    assert (await story.shown(PHONE))["traits"]["concluded"] == {"entered": 1}


async def test_who_joins_her_is_told_of_no_segment_that_she_was_in_by_claimers_only(story: Story) -> None:
    server = Sender("server", "crm")
    await story.count(THIEF, 990)
    await story.claim(THIEF, email=ANN)
    await story.claim(PHONE, email=ANN)
    answer = await story.alias(server, PHONE)
    assert answer["response"] == {"port": "merged", "count": 0, "name": "nobody", "segments": []}
    await story.count(Sender("pages", "", "tablet"), 1)
    await story.claim(Sender("pages", "", "tablet"), email=ANN)
    answer = await story.prove(Sender("pages", "", "tablet", "1"), customer="1")
    assert answer["response"] == {"port": "unchanged", "count": 0.1, "name": "nobody", "segments": []}


async def test_what_she_said_among_claimers_comes_along_with_her(story: Story) -> None:
    await story.claim(THIEF, email=ANN, phone="1")
    await story.claim(PHONE, phone="1")
    await story.claim(PHONE, email=ANN)  # the joint profile shows it already
    await story.count(PHONE, 3)
    answer = await story.prove(PHONE, phone="1")
    assert answer["profile"]["pii"] == {"email": "ann@story", "phone": "1@story"}
    assert answer["response"]["count"] == 0.3


@pytest.mark.parametrize("before", [True, False])
async def test_one_who_claims_keys_of_two_people_joins_neither_with_the_other(story: Story, before: bool) -> None:
    if before:
        await story.claim(THIEF, email=ANN, phone="bob")
    await story.prove(PHONE, email=ANN)
    await story.prove(BOB, phone="bob")
    if not before:
        await story.claim(THIEF, email=ANN, phone="bob")
    assert told_ids(await story.prove(LAPTOP, email=ANN)) == 2
    assert await story.ids(PHONE) == {"phone", "laptop"}
    assert await story.ids(BOB) == {"bob"}
    assert await story.ids(THIEF) == {"thief"}


async def test_a_claim_beside_her_proof_does_not_silence_the_answer(story: Story) -> None:
    await story.claim(THIEF, phone="1")
    answer = await story.prove(PHONE, email=ANN, phone="1")
    assert told_ids(answer) == 1
    assert answer["profile"]["pii"] == {"email": "ann@story", "phone": "1@story"}
    assert await story.ids(THIEF) == {"thief"}


async def test_a_claimer_whose_claim_is_undone_takes_nobody_along(story: Story) -> None:
    for sender in (THIEF, PHONE, OTHER_THIEF):
        await story.claim(sender, email=ANN)
    assert await story.ids(PHONE) == {"thief", "phone", "other thief"}
    await story.undo(THIEF, "pii.email=ann")
    assert await story.ids(PHONE) == {"phone", "other thief"}
    await story.claim(THIEF, email=ANN)
    assert told_ids(await story.prove(PHONE, email=ANN)) == 1
    assert told_ids(await story.prove(LAPTOP, email=ANN)) == 2
    assert await story.ids(THIEF) == {"thief"}
    assert await story.ids(OTHER_THIEF) == {"other thief"}


async def test_an_exclusive_key_that_a_stranger_claims_first_is_hers(story: Story) -> None:
    await story.claim(THIEF, customer="1")
    await story.claim(OTHER_THIEF, customer="2")
    await story.claim(OTHER_THIEF, email=ANN)
    await story.claim(PHONE, email=ANN)
    await story.prove(PHONE, customer="1")
    answer = await story.prove(LAPTOP, customer="1")
    assert answer["response"]["port"] == "merged"
    assert await story.ids(PHONE) == {"phone", "laptop"}
    assert await story.ids(THIEF) == {"thief"}
    assert await story.ids(OTHER_THIEF) == {"other thief"}


async def test_a_user_whom_a_stranger_names_first_is_still_one_on_her_devices(story: Story) -> None:
    await story.count(Sender("pages", "", "of the thief", "1"), 990)
    devices = [Sender("app", "", visitor, "1") for visitor in ("at home", "at work")]
    for device in devices:
        await story.count(Sender("app", "", device.visitor), 1)
        answer = await story.count(device, 1)
    assert answer["response"]["count"] == 0.4
    assert told_ids(answer) == 4
    assert await story.ids(Sender("pages", "", "of the thief", "1")) == {"of the thief"}


async def test_two_users_of_one_device_never_become_one_whatever_a_stranger_claims(story: Story) -> None:
    first, second = Sender("app", "", "shared", "1"), Sender("app", "", "shared", "2")
    await story.claim(THIEF, customer="1")
    await story.claim(THIEF, email=ANN)
    await story.claim(first, email=ANN)
    await story.claim(THIEF, customer="2")
    answer = await story.claim(second, email=ANN)
    assert answer["response"]["port"] == "other"
    assert set((await story.shown(first))["ids"]).isdisjoint((await story.shown(second))["ids"])
    assert await story.ids(THIEF) == {"thief"}
