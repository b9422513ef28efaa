"""The page on profiles: each example in its table of claims and proofs comes out as the table says."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from engine.project.source import Source
from engine.tracking.intake.user_token import Claims, sign
from storage.memory import MemoryStore
from tests.docs.page import ROOT
from tests.engine.tracking.collector import Collector
from tests.projects import USERS, payload, project

PAGE = (ROOT / "docs" / "profiles.md").read_text()
FLOWS = (
    """
    flow: known
    trigger: {event: known}
    nodes:
      who:
        profile.merge: {pii.email: "{{ event.properties.email }}", pii.phone: "{{ event.properties.phone }}"}
        next: {merged: [], unchanged: [], other: []}
    """,
    """
    flow: named
    trigger: {event: named}
    nodes:
      name: {profile.set: {traits.name: "{{ event.properties.name }}"}}
    """,
    """
    flow: viewed
    trigger: {event: viewed}
    nodes:
      count: {profile.increment: {traits.views: 1}, next: vip}
      vip: {when: profile.traits.views > 3, profile.set: {traits.vip: true}, next: {done: answer, skipped: answer}}
      answer: {respond: {views: "{{ profile.traits.views }}"}}
    """,
)
SECRET = "s3cret-of-the-shop-and-its-back-end"
REFUSING = Source(source="refusing", identify="refuse", debugger=True, profiles=True, user_secret=SECRET)
SOURCES = (
    REFUSING,
    Source(source="server", identify="trust", debugger=True, profiles=True, sessions="made"),
    Source(source="page", identify="link", debugger=True, profiles=True, sessions="made", user_secret=SECRET),
)
ANN = {"pii.email": "ann@example.com"}


class Site:
    """A project with a trusted server and a public page, each sender of which is a client with a session."""

    def __init__(self) -> None:
        self.shop = Collector(project(*FLOWS, settings=USERS, sources=SOURCES), MemoryStore())
        self.first_ids: dict[str, str] = {}

    async def send(
        self, sender: str, type: str, source: str = "page", proof: dict[str, Any] | None = None, **body: Any
    ) -> dict[str, Any]:
        """Send one event; `visitor`, `user` and `token` are the payload's, everything else is a property."""
        self.shop.clock.advance(1)
        ids = {name: {"id": body.pop(name)} for name in ("visitor", "user") if name in body}
        sent = payload({"type": type, "properties": body}, session=sender, source={"id": source}, **ids)
        if proof is not None:
            expires = self.shop.clock.now() / 1000 + 60
            sent["userToken"] = sign(Claims(source, expires, proof), SECRET)
        answer = await self.shop.track(sent)
        self.first_ids.setdefault(sender, answer["profile"]["id"])
        return answer

    async def claim(self, *senders: str) -> None:
        """Claim the address of Ann from each of these."""
        for sender in senders:
            await self.send(sender, "known", email=ANN["pii.email"])

    async def prove(self, *senders: str) -> None:
        """Prove the address of Ann from each of these, by a token."""
        for sender in senders:
            await self.send(sender, "known", proof=ANN, email=ANN["pii.email"])

    async def traits(self, sender: str) -> dict[str, Any]:
        """The traits of the profile of a sender."""
        traits: dict[str, Any] = (await self.shop.profile(self.first_ids[sender]))["traits"]
        return traits

    async def groups(self, *senders: str) -> list[list[str]]:
        """These senders, in a list for each profile."""
        found: dict[str, list[str]] = {}
        for sender in senders:
            found.setdefault((await self.shop.profile(self.first_ids[sender]))["id"], []).append(sender)
        return list(found.values())


def is_withheld(answer: dict[str, Any]) -> bool:
    return "withheld" in answer["debugging"]


async def a_claim_after_a_proof(site: Site) -> None:
    await site.prove("ann")
    await site.send("ann", "named", name="Ann")
    await site.claim("stranger")
    await site.send("stranger", "named", name="Mallory")
    assert (await site.send("ann", "viewed"))["response"] == {"views": 1}
    assert await site.groups("ann", "stranger") == [["ann"], ["stranger"]]
    assert [(await site.traits(sender))["name"] for sender in ("ann", "stranger")] == ["Ann", "Mallory"]


async def many_strangers(site: Site) -> None:
    strangers = [f"stranger-{number}" for number in range(25)]
    await site.claim(*strangers)
    await site.prove("phone", "laptop")
    groups = await site.groups("phone", "laptop", *strangers)
    assert groups == [["phone", "laptop"], strangers[:21], *([stranger] for stranger in strangers[21:])]
    assert not is_withheld(await site.send("phone", "viewed"))


async def a_proof_after_claims(site: Site) -> None:
    await site.claim("ann")
    for _ in range(2):
        await site.send("ann", "viewed")
    await site.claim("stranger")
    await site.send("stranger", "named", name="Mallory")
    assert is_withheld(await site.send("ann", "viewed"))
    await site.prove("ann")
    assert await site.groups("ann", "stranger") == [["ann"], ["stranger"]]
    assert (await site.send("ann", "viewed"))["response"] == {"views": 4}
    assert "name" not in await site.traits("ann")


async def two_devices_without_proof(site: Site) -> None:
    for device in ("phone", "laptop"):
        await site.send(device, "viewed")
    await site.claim("phone", "laptop")
    answers = [await site.send(device, "viewed") for device in ("phone", "laptop")]
    assert await site.groups("phone", "laptop") == [["phone", "laptop"]]
    assert (await site.traits("phone"))["views"] == 4
    assert [(is_withheld(answer), "response" in answer) for answer in answers] == [(True, False)] * 2


async def one_of_three_proves_another_key(site: Site) -> None:
    for order in ("abc", "bca", "cab"):
        site = Site()
        await site.claim(*order)
        await site.send("a", "known", proof={"pii.phone": "4930901820"}, phone="4930901820")
        assert await site.groups("a", "b", "c") == [["a"], ["b", "c"]]


async def a_shared_tablet(site: Site) -> None:
    await site.send("before", "viewed", visitor="tablet")
    await site.send("one", "viewed", visitor="tablet", user="1")
    await site.send("two", "viewed", visitor="tablet", user="2")
    await site.send("phone of two", "viewed", visitor="phone", user="2")
    groups = await site.groups("before", "one", "two", "phone of two")
    assert groups == [["before", "one"], ["two", "phone of two"]]
    assert [(await site.traits(sender))["views"] for sender in ("one", "two")] == [2, 2]


async def an_address_of_another_user(site: Site) -> None:
    address = ANN["pii.email"]
    await site.send("two", "known", "server", visitor="laptop", user="2", email=address)
    answer = await site.send("one", "known", proof=ANN, visitor="phone", user="1", email=address)
    (execution,) = answer["debugging"]["execution"].values()
    assert [step["port"] for run in execution["runs"] for step in run.get("steps", ())] == ["other"]
    assert await site.groups("one", "two") == [["one"], ["two"]]


async def a_user_who_is_proven_and_claimed(site: Site) -> None:
    await site.send("server", "viewed", "server", user="1")
    for device in ("phone", "laptop"):
        await site.send(device, "viewed", visitor=device, user="1")
    assert await site.groups("server", "phone", "laptop") == [["server"], ["phone", "laptop"]]


EXAMPLES: dict[str, Callable[[Site], Awaitable[None]]] = {  # by the first words of a row
    "Ann proves an address; a stranger": a_claim_after_a_proof,
    "25 strangers claim an address": many_strangers,
    "Ann claims an address": a_proof_after_claims,
    "a phone and a laptop": two_devices_without_proof,
    "A, B and C": one_of_three_proves_another_key,
    "a tablet": a_shared_tablet,
    "user 1 proves an address": an_address_of_another_user,
    "a server proves a user": a_user_who_is_proven_and_claimed,
}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=lambda example: example.__name__)
async def test_an_example_comes_out_as_the_page_says(example: Callable[[Site], Awaitable[None]]) -> None:
    await example(Site())


def test_every_example_of_the_page_is_played() -> None:
    table = PAGE.partition("| what happens | what comes out |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (.+?) \|", table, re.MULTILINE)
    assert len(rows) == len(EXAMPLES)
    assert not [row for row, words in zip(rows, EXAMPLES, strict=True) if not row.startswith(words)]


async def test_a_conclusion_of_a_flow_in_a_joint_profile_stays() -> None:
    site = Site()
    for _ in range(3):
        await site.send("stranger", "viewed")
    await site.claim("stranger", "ann")
    await site.send("ann", "viewed")
    await site.prove("ann")
    assert await site.traits("ann") == {"views": 1, "vip": True}


async def test_a_source_that_refuses_claims_is_joined_by_tokens_only() -> None:
    site = Site()
    for sender, source in (("one", "refusing"), ("two", "refusing"), ("stranger", "page")):
        await site.send(sender, "known", source, email=ANN["pii.email"])
    assert await site.groups("one", "two", "stranger") == [["one"], ["two"], ["stranger"]]
    for sender in ("one", "two"):
        await site.send(sender, "known", "refusing", proof=ANN, email=ANN["pii.email"])
    assert await site.groups("one", "two", "stranger") == [["one", "two"], ["stranger"]]
