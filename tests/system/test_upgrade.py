"""A store of an earlier version is upgraded by the server that serves it, while clients send events.

The data were written by commit ca13a6d, see `tests/storage/upgrade/write_linked_store.py`: 1,000 profiles that were
joined by claims and by proofs, with links that were undone, and some profiles that were forgotten.
"""

import asyncio
import contextlib
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from msgspec import Struct

from engine.ports.kinds import SEARCHABLE
from engine.ports.store import Store
from engine.profile.document import Part, Profile
from engine.profile.fold import fold
from engine.profile.linking import Pool, groups
from engine.profile.upgrade import upgraded
from engine.search.query import Query
from storage import open_store
from storage.identity_upgrade import new_key
from tests.storage.elasticsearch_requests import dropped
from tests.storage.upgrade.fixture import kept, load
from tests.storage.upgrade.linked import (
    FILE,
    INDICES,
    OldData,
    data_of_file,
    data_of_indices,
    expected_groups,
    proven_ids,
)
from tests.storage.upgrade.linked_story import FLOWS, GROUPS, KEYS
from tests.system.returning_visitors import ReturningVisitors, Sent, asked, delivered
from tests.system.server_process import ServerProcess, serving_on, write_project
from tests.system.test_serve_workers import until

pytestmark = pytest.mark.timeout(300)  # starting an Elasticsearch is part of the first test

EVERY = 19  # of so many groups, one logs in again, with a proof and without
REPEATED = 100  # old events that are sent again


class Case(Struct):
    """A store with the old data, and how it is served."""

    url: str
    old: OldData
    options: tuple[str, ...] = ()


@pytest.fixture(params=["sqlite", "elasticsearch"])
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    if request.param == "sqlite":
        file = tmp_path / "store.db"
        file.write_bytes(kept(FILE))
        yield Case(f"sqlite:{file}", data_of_file(file))
        return
    server, prefix = request.getfixturevalue("elasticsearch_url"), f"t{uuid4().hex[:12]}"
    try:
        await load(server, prefix, INDICES)
        yield Case(f"elasticsearch:{server}?prefix={prefix}", data_of_indices(), ("--workers", "2"))
    finally:
        await dropped(server, prefix)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = write_project(tmp_path / "project", **{text.split()[1]: text for text in FLOWS})
    key = sha256(KEYS["till"].encode()).hexdigest()
    (root / "sources" / "shop.yaml").write_text("source: shop\nidentify: link\n")
    (root / "sources" / "till.yaml").write_text(f"source: till\nkind: secret\nkey: {key}\nidentify: trust\n")
    return root


def returning(old: OldData) -> list[tuple[str, str]]:
    """The sessions that go on. Of a third of the groups nobody returns: only the upkeep sets their profiles apart."""
    return [(each.source, each.id) for each in old.sessions if int(each.id.split("-")[1]) % 3]


def logins() -> list[Sent]:
    """Logins of some groups with their address, in new and in old sessions; the till proves it, the shop claims it."""
    new, old = range(0, GROUPS, EVERY), range(1, GROUPS, EVERY)
    places = [(group, source, f"desk-{group}") for group in new for source in ("till", "shop")]
    places += [
        place for group in old for place in ((group, "till", f"visit-{group}-0"), (group, "shop", f"visit-{group}-10"))
    ]
    return [
        Sent(f"login-{group}-{source}", source, session, f"person{group}@example.com")
        for group, source, session in places
    ]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def dry_run(project: Path, url: str) -> list[str]:
    """The changes of data that an upgrade would make."""
    command = [sys.executable, "-m", "cli.main", "migrate", str(project), "--store", url, "--dry-run"]
    output = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    return [line.strip() for line in output.splitlines() if re.search(r": \d", line)]


async def serve_while_events_come(project: Path, case: Case, visitors: ReturningVisitors) -> list[str]:
    """Upgrade and serve until all profiles are set apart; returns the changes of data that the server reported."""
    port = free_port()
    sending = asyncio.create_task(visitors.send(f"http://127.0.0.1:{port}"))
    with contextlib.ExitStack() as stack:
        server = serving_on(project, case.url, *case.options, "--port", str(port))
        served = await asyncio.to_thread(stack.enter_context, server)
        await asyncio.to_thread(served.wait_for_output, "a profile was set apart", len(case.old.apart()))
        await until(visitors.enough.wait(), sending)
        visitors.end()
        await sending
        await repeat_old_events(served, case.old)
        await explain_ceased_claims(served, case.old)
        assert served.stop() == 0
    assert '"level": "error"' not in served.output
    return [
        line.removeprefix("  store     ") for line in served.output.splitlines() if re.search(r"store .*: \d", line)
    ]


async def repeat_old_events(served: ServerProcess, old: OldData) -> None:
    async with aiohttp.ClientSession() as http:
        for mark in old.marks[:: len(old.marks) // REPEATED]:
            assert mark.session is not None
            assert await delivered(http, served.address, Sent(mark.event, mark.source, mark.session))
        counted = await asked(http, f"{served.address}/counts", served.admin)
        assert counted["events"]["duplicate"] >= REPEATED


async def explain_ceased_claims(served: ServerProcess, old: OldData) -> None:
    """`why` shows every claim of a proven id, with the proof by which it ceased."""
    explained = 0
    async with aiohttp.ClientSession() as http:
        for profile in old.profiles:
            steps = [step for step in profile.steps.values() if step.claim and not step.undone]
            for id in {id for step in steps for id in (step.left, step.right)} & proven_ids(old.keys, profile):
                answer = await asked(http, f"{served.address}/profiles/{id}?why=true", served.admin)
                links = {link["link"]: link for link in answer["why"]["links"]}
                ceased = [each for each in links.values() if (each["left"], each["state"]) == (id, "ceased")]
                assert ceased, answer
                assert {links[each["ceased_by"]]["by"] for each in ceased} == {"proof"}
                explained += 1
    assert explained > 50


# ---- what is stored afterwards --------------------------------------------------------------------------------------


class Stored(Struct):
    """The content of a store: the profiles by each of their ids, the ids of the events, and the sessions."""

    profiles: dict[str, Profile]
    events: Counter[str]
    sessions: dict[tuple[str, str], str]
    secret: bytes

    def of_login(self, login: Sent) -> Profile:
        """The profile of a login's session."""
        return self.profiles[self.sessions[login.source, login.session]]

    @property
    def views(self) -> int:
        """The page views that all profiles show."""
        return shown_views(self.profiles.values())


def shown_views(profiles: Any) -> int:
    different = {profile.id: profile for profile in profiles}
    return sum(fold(each).get("traits", {}).get("pages", 0) for each in different.values())


async def stored_in(store: Store) -> Stored:
    profiles = await all_of(store, "profiles")
    return Stored(
        {id: profile for profile in profiles for id in profile.parts},
        Counter([each.id for each in await all_of(store, "events")]),
        {(each.source, each.id): each.profile for each in await all_of(store, "sessions")},
        await store.secret(),
    )


async def all_of(store: Store, kind: str) -> list[Any]:
    page = await store.search(Query(SEARCHABLE[kind]), 1000)
    found = list[Any](page.items)
    while page.after is not None:
        page = await store.search(Query(SEARCHABLE[kind]), 1000, page.after)
        found += page.items
    return found


def counted_in(part: Part) -> int:
    return int(part.counts.get("traits.pages", (0, 0, 0))[2])


def assert_nothing_is_lost(old: OldData, visitors: ReturningVisitors, now: Stored) -> None:
    """Every event is stored once; every id has its values, with what came in under it; every session is there."""
    sent = [each.id for each in visitors.acknowledged]
    assert now.events == Counter([*old.events, *sent])
    views = visitors.views_of()
    assert now.views == shown_views(upgraded(each) for each in old.profiles) + views.total()
    acting = Counter[str]()
    for (source, session), count in views.items():
        acting[now.sessions[source, session]] += count
    assert {(each.source, each.id): each.profile for each in old.sessions}.items() <= now.sessions.items()
    # A visit compacts the buckets of earlier years.
    visiting = {now.sessions[each.source, each.session] for each in logins()}
    for profile in old.profiles:
        for id, part in profile.parts.items():
            after = now.profiles[id].parts[id]
            assert without_page(part).items() <= after.cells.items()
            assert counted_in(after) == counted_in(part) + acting[id]
            assert id in visiting or after.tallies == part.tallies


def without_page(part: Part) -> dict[str, Any]:
    """The values of a part that a page view does not replace."""
    return {cell: value for cell, value in part.cells.items() if cell != "traits.page"}


def assert_groups_are_as_by_the_rules(old: OldData, now: Stored) -> None:
    """Each profile is one group; profiles of groups that nobody has joined since are those that the rules make."""
    assert all(len(groups(Pool.of(profile))) == 1 for profile in now.profiles.values())
    joined = {id for each in logins() for id in now.of_login(each).parts}
    expected = [
        found for each in old.profiles if joined.isdisjoint(each.parts) for found in expected_groups(old.keys, each)
    ]
    assert [sorted(now.profiles[ids[0]].parts) for ids in expected] == expected
    assert len(expected) > 400


def assert_undone_links_stay(old: OldData, now: Stored) -> None:
    undone = [step for each in old.profiles for step in each.steps.values() if step.undone]
    assert len(undone) > 10
    for step in undone:
        ends = {step.left, step.right}
        links = [link for id in ends & now.profiles.keys() for link in now.profiles[id].links.values()]
        found = [
            link for link in links if link.left in ends and {link.right, link.right.lstrip("?")} & {step.cause, *ends}
        ]
        assert any(link.undone for link in found), step


def assert_old_keys_lead_to_their_profiles(old: OldData, now: Stored) -> None:
    """A login with a proof joins the ids that have proven the address; one with a claim, those that only claim it."""
    proven = {id for each in old.profiles for id in proven_ids(old.keys, each)}
    held = {new_key(now.secret, key, claim): id for key, id, claim in old.keys}
    joined = Counter[str]()
    for login in logins():
        claim = login.source == "shop"
        holder = held.get(new_key(now.secret, f"pii.email={login.email}", claim))
        if holder is not None and holder in now.profiles:
            together = holder in now.of_login(login).parts
            assert together == (not claim or holder not in proven), login
            joined[login.source] += together
    assert min(joined["till"], joined["shop"]) > 5


async def test_a_store_is_upgraded_while_it_is_served_and_nothing_is_lost(project: Path, case: Case) -> None:
    would = dry_run(project, case.url)
    visitors = ReturningVisitors(returning(case.old), logins())
    done = await serve_while_events_come(project, case, visitors)
    assert would == [line.replace("were", "would be") for line in done]
    assert len(done) == 3
    assert visitors.refused > 0
    store = open_store(case.url, project)
    try:
        now = await stored_in(store)
    finally:
        await store.close()
    assert_nothing_is_lost(case.old, visitors, now)
    assert_groups_are_as_by_the_rules(case.old, now)
    assert_undone_links_stay(case.old, now)
    assert_old_keys_lead_to_their_profiles(case.old, now)
