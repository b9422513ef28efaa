"""Signed webhooks over HTTP: who does not know the secret stores nothing, and a delivery takes effect once."""

import asyncio
import gzip
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from structlog.testing import capture_logs

from api.app import create_app
from effects.clock import ManualClock
from effects.scripted import ScriptedPerformer
from engine.ports.store import Store
from engine.project.project import Project
from storage.elasticsearch.store import ElasticsearchStore
from storage.memory import MemoryStore
from storage.sqlite.store import SqliteStore
from tests.identity.test_histories import dropped
from tests.webhook_projects import webhook_project

NEW, OLD = "the-new-secret-of-the-shop", "the-old-secret-of-the-shop"
ENVIRONMENT = {"NEW": NEW, "OLD": OLD}
TRIES, PAUSE = 60, 0.25  # of counting on Elasticsearch, in seconds
NOW = 1_700_000_000_000
PATH = "/webhook/collect/hook"
BODY = json.dumps({"action": "opened", "id": "issue-1"}).encode()
GITHUB = """
    webhook: hook
    source: shop
    verify: github
    secret: ["${env:NEW}", "${env:OLD}"]
    events:
      - {type: "issue-{{ body.action }}"}
      - {type: activity}
"""


@asynccontextmanager
async def client_of(project: Project, store: Store) -> AsyncIterator[AsyncTestClient[Litestar]]:
    app = create_app(project, store, performer=ScriptedPerformer(), clock=ManualClock(NOW))
    async with AsyncTestClient(app, base_url="http://127.0.0.1") as client:
        yield client


def signed(body: bytes = BODY, secret: str = NEW, delivery: str = "d-1") -> dict[str, str]:
    """The headers of a delivery of GitHub's."""
    signature = hmac.new(secret.encode(), body, sha256).hexdigest()
    return {
        "content-type": "application/json",
        "x-hub-signature-256": f"sha256={signature}",
        "x-github-delivery": delivery,
    }


async def counts(store: Store) -> tuple[int, int]:
    """How many events and rejected records there are."""
    found = await store.counts()
    return found["events"], found["rejected"]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param(signed(), BODY.replace(b"1", b"2"), id="one byte of the body"),
        pytest.param(signed(secret="another-secret-of-the-shop"), BODY, id="another secret"),
        pytest.param({"content-type": "application/json"}, BODY, id="no signature"),
        pytest.param({**signed(), "authorization": "Bearer shop"}, b"{", id="no JSON"),
    ],
)
async def test_a_wrong_signature_is_refused_and_nothing_is_kept(
    tmp_path: Path, headers: dict[str, str], body: bytes
) -> None:
    store = MemoryStore()
    async with client_of(webhook_project(tmp_path, GITHUB, environment=ENVIRONMENT), store) as client:
        with capture_logs() as logs:
            answer = await client.post(PATH, content=body, headers=headers)
        assert answer.status_code == 401
        assert await counts(store) == (0, 0)
    [line] = logs
    assert (line["protocol"], line["status"]) == ("webhook hook", 401)
    assert not {NEW, OLD, "issue-1"} & set(str(logs).replace("'", " ").split())


@pytest.mark.parametrize("secret", [NEW, OLD])
async def test_while_a_secret_changes_both_are_taken(tmp_path: Path, secret: str) -> None:
    store = MemoryStore()
    async with client_of(webhook_project(tmp_path, GITHUB, environment=ENVIRONMENT), store) as client:
        assert (await client.post(PATH, content=BODY, headers=signed(secret=secret))).text == "1"
        assert await counts(store) == (2, 0)


async def test_a_signed_body_that_cannot_be_read_is_rejected_with_its_reason(tmp_path: Path) -> None:
    store = MemoryStore()
    async with client_of(webhook_project(tmp_path, GITHUB, environment=ENVIRONMENT), store) as client:
        answer = await client.post(PATH, content=b"{", headers=signed(b"{"))
        assert (answer.status_code, answer.text) == (200, "0")
        assert await counts(store) == (0, 1)


@pytest.mark.parametrize("of_sent", [True, False], ids=["of the bytes as sent", "of what was compressed"])
async def test_the_signature_of_a_compressed_body_is_taken(tmp_path: Path, of_sent: bool) -> None:
    packed, store = gzip.compress(BODY), MemoryStore()
    headers = {**signed(packed if of_sent else BODY), "content-encoding": "gzip"}
    async with client_of(webhook_project(tmp_path, GITHUB, environment=ENVIRONMENT), store) as client:
        assert (await client.post(PATH, content=packed, headers=headers)).text == "1"
        assert (await client.post(PATH, content=gzip.compress(b"{}"), headers=headers)).status_code == 401


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else SqliteStore.open(tmp_path / "headrace.db")


async def has_events(store: Store, events: int) -> bool:
    """Whether a store has so many events soon, and no more; it may be that of another process, which lags behind."""
    for _ in range(TRIES):
        if (await counts(store))[0] >= events:
            break
        await asyncio.sleep(PAUSE)
    return await counts(store) == (events, 0)


async def deliver_twenty_times_and_three_more(root: Path, store: Store, counting: Store) -> None:
    """Send one delivery of two events, and see that it takes effect once; another delivery of the same body counts."""
    async with client_of(webhook_project(root / "project", GITHUB, environment=ENVIRONMENT), store) as client:
        answers = await asyncio.gather(*(client.post(PATH, content=BODY, headers=signed()) for _ in range(20)))
        answers += [await client.post(PATH, content=BODY, headers=signed()) for _ in range(3)]
        assert {(answer.status_code, answer.text) for answer in answers} == {(200, "1")}
        assert await has_events(counting, 2)
        await client.post(PATH, content=BODY, headers=signed(delivery="d-2"))
        assert await has_events(counting, 4)


async def test_one_delivery_takes_effect_once(tmp_path: Path, store: Store) -> None:
    await deliver_twenty_times_and_three_more(tmp_path, store, store)


async def test_one_delivery_takes_effect_once_on_elasticsearch(tmp_path: Path, elasticsearch_url: str) -> None:
    prefix = f"t{uuid4().hex[:12]}"
    store, counting = [ElasticsearchStore.open(f"{elasticsearch_url}?prefix={prefix}") for _ in range(2)]
    await deliver_twenty_times_and_three_more(tmp_path, store, counting)
    await counting.close()
    await dropped(elasticsearch_url, prefix)


MAILGUN = """
    webhook: hook
    source: shop
    verify: mailgun
    secret: ${env:NEW}
    event: {type: "mail-{{ body['event-data'].event }}", id: "{{ body['event-data'].id }}"}
"""


def mail(token: str, id: str) -> dict[str, Any]:
    time = str(NOW // 1000)
    signature = hmac.new(NEW.encode(), f"{time}{token}".encode(), sha256).hexdigest()
    return {
        "signature": {"timestamp": time, "token": token, "signature": signature},
        "event-data": {"id": id, "event": "opened"},
    }


async def test_a_token_that_comes_again_brings_no_other_event(tmp_path: Path) -> None:
    store = MemoryStore()
    async with client_of(webhook_project(tmp_path, MAILGUN, environment=ENVIRONMENT), store) as client:
        for body in (mail("t-1", "e-1"), mail("t-1", "e-1"), mail("t-1", "forged")):
            assert (await client.post(PATH, json=body)).text == "1"
        assert await counts(store) == (1, 0)
        await client.post(PATH, json=mail("t-2", "e-2"))
        assert await counts(store) == (2, 0)


@pytest.mark.parametrize(("seconds", "status"), [(-299, 200), (-301, 401), (301, 401)])
async def test_an_old_signature_is_refused(tmp_path: Path, seconds: int, status: int) -> None:
    stripe = GITHUB.replace("github", "stripe")
    time = NOW // 1000 + seconds
    signature = hmac.new(NEW.encode(), f"{time}.".encode() + BODY, sha256).hexdigest()
    headers = {"stripe-signature": f"t={time},v1={signature}", "content-type": "application/json"}
    async with client_of(webhook_project(tmp_path, stripe, environment=ENVIRONMENT), MemoryStore()) as client:
        assert (await client.post(PATH, content=BODY, headers=headers)).status_code == status
