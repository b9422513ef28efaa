"""Deliveries of an application: sent in the background, once, and operated by its administrator."""

import asyncio

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from api.sending import SendingRules
from effects.scripted_courier import ScriptedCourier
from engine.ports.courier import DeliveryResult
from engine.ports.outbox import StoredDelivery
from engine.project.source import Target
from tests.api.conftest import Serve
from tests.projects import payload, project

TELL = """
flow: tell
trigger: {event: page-view}
profile: required
nodes:
  crm: {deliver.http: {target: crm, body: {id: "{{ event.id }}"}}}
"""
PROJECT = project(TELL, targets={"crm": Target(url="https://crm.example")})
JSON = {"content-type": "application/json"}


class Awaited(ScriptedCourier):
    """A courier that says when something was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = asyncio.Event()

    async def send(self, delivery: StoredDelivery) -> DeliveryResult:
        self.sent.set()
        return await super().send(delivery)


class Broken(Awaited):
    """A courier with an error."""

    async def send(self, delivery: StoredDelivery) -> DeliveryResult:
        await super().send(delivery)
        raise KeyError("a bug")


async def state_of(client: AsyncTestClient[Litestar], until: str) -> dict[str, object]:
    """The only delivery, once it has had an attempt and is in this state."""
    while True:
        (found,) = (await client.get("/deliveries")).json()["items"]
        if found["state"] == until and found["attempts"]:
            details: dict[str, object] = (await client.get(f"/deliveries/{found['id']}")).json()
            return details
        await asyncio.sleep(0.01)


async def test_a_delivery_is_sent_once_after_its_event_is_committed(serve: Serve) -> None:
    courier = Awaited()
    client = await serve(PROJECT, rules=SendingRules(courier=courier))
    assert (await client.post("/track", json=payload("page-view"))).status_code == 200
    sent = await state_of(client, "sent")
    assert courier.ids == [sent["id"]]


async def test_a_target_that_fails_is_named_and_the_server_is_ready_all_the_same(serve: Serve) -> None:
    courier = Awaited().on("crm", always=DeliveryResult("again", 401, "wrong credentials", health="refuses"))
    client = await serve(PROJECT, rules=SendingRules(courier=courier))
    await client.post("/track", json=payload("page-view"))
    await state_of(client, "waiting")
    ready = await client.get("/health/ready")
    assert ready.status_code == 200
    assert 0 < ready.json()["failing_targets"]["crm"] <= 30


async def test_a_bug_in_a_courier_is_a_failed_attempt(serve: Serve) -> None:
    client = await serve(PROJECT, rules=SendingRules(courier=Broken()))
    await client.post("/track", json=payload("page-view"))
    last = (await state_of(client, "waiting"))["last"]
    assert isinstance(last, dict)
    assert last["reason"].startswith("an error in Headrace")
    assert "failing_targets" not in (await client.get("/health/ready")).json()


async def test_dead_ones_are_retried_and_waiting_ones_dropped(serve: Serve) -> None:
    courier = Awaited().on("crm", DeliveryResult("dead", 422, "no such field"))
    client = await serve(PROJECT, rules=SendingRules(courier=courier))
    await client.post("/track", json=payload("page-view"))
    dead = await state_of(client, "dead")
    done = await client.post("/deliveries/retry", json={"target": "crm"})
    assert done.json()["changed"] == [dead["id"]]
    await state_of(client, "sent")
    dropped = await client.post("/deliveries/drop", json={"ids": [dead["id"]]})
    assert dropped.json()["changed"] == []
    assert dropped.json()["skipped"] == [{"id": dead["id"], "reason": "it is sent, not waiting"}]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/deliveries?limit=0", None, 400),
        ("GET", "/deliveries?after=nonsense", None, 400),
        ("GET", "/deliveries?state=lost", None, 400),
        ("GET", "/deliveries/none", None, 404),
        ("POST", "/deliveries/retry", {}, 400),
        ("POST", "/deliveries/drop", {"ids": ["d"] * 101}, 400),
        ("POST", "/deliveries/drop", {"id": "d1"}, 400),
    ],
)
async def test_bad_requests_are_refused(serve: Serve, method: str, path: str, body: object, status: int) -> None:
    client = await serve(PROJECT)
    assert (await client.request(method, path, json=body)).status_code == status


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/deliveries"), ("GET", "/deliveries/d1"), ("POST", "/deliveries/drop")]
)
async def test_strangers_see_and_change_nothing(serve: Serve, method: str, path: str) -> None:
    client = await serve(PROJECT, stranger=True)
    assert (await client.request(method, path, json={"ids": ["d1"]})).status_code == 401


async def test_pages_elsewhere_change_nothing(serve: Serve) -> None:
    client = await serve(PROJECT)
    answer = await client.post(
        "/deliveries/drop", content=b'{"target": "crm"}', headers={**JSON, "origin": "https://evil.example"}
    )
    assert answer.status_code == 403


async def test_a_delivery_knows_how_many_requests_led_to_its_event(serve: Serve) -> None:
    client = await serve(PROJECT, rules=SendingRules(courier=Awaited()))
    await client.post("/track", json=payload("page-view"), headers={"headrace-hops": "3"})
    assert (await state_of(client, "sent"))["hops"] == 3
