"""The contract of `Courier`, checked on every implementation in `effects/`."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

import pytest
from aiohttp import web
from msgspec import structs

from effects.couriers import Couriers
from effects.scripted_courier import ScriptedCourier
from engine.flow.message import EventMessage, HttpMessage, MailMessage, Message, WebhookMessage
from engine.ports.courier import Courier, DeliveryResult
from engine.ports.outbox import SELF, StoredDelivery
from engine.project.source import Target
from tests.effects.http_server import Serve
from tests.effects.mail_server import MailServer
from tests.engine.sending.samples import sample

ANSWERS = {"sent": 200, "again": 503, "dead": 422}
CODES = {"sent": "250 ok", "again": "451 try later", "dead": "550 no such mailbox"}


class System(Protocol):
    """A system of the world outside with its courier."""

    message: Message
    target: str

    def courier(self) -> Courier: ...

    def answer(self, verdict: str) -> None:
        """Answer the attempts from now on in a way that means this."""

    def arrived(self) -> list[str]:
        """The ids under which messages have arrived, or were refused."""


class HttpSystem:
    target = "crm"

    def __init__(self, message: Message) -> None:
        self.message = message
        self.status, self.keys = 200, list[str]()
        self.made: Couriers | None = None

    async def start(self, serve: Serve) -> None:
        async def handler(request: web.Request) -> web.Response:
            self.keys.append(request.headers["Idempotency-Key"])
            return web.Response(status=self.status)

        self.made = Couriers({"crm": Target(url=await serve(handler), private=True)}, no_events)

    def courier(self) -> Courier:
        assert self.made is not None
        return self.made

    def answer(self, verdict: str) -> None:
        self.status = ANSWERS[verdict]

    def arrived(self) -> list[str]:
        return self.keys


class MailSystem:
    target = "crm"
    message = MailMessage(to="ann@example.com", subject="Hi", text="Hello")

    def __init__(self, server: MailServer) -> None:
        self.server = server
        target = Target(url=server.url, private=True, sender="shop@shop.example")
        self.made = Couriers({"crm": target}, no_events)

    def courier(self) -> Courier:
        return self.made

    def answer(self, verdict: str) -> None:
        self.server.answer = CODES[verdict]

    def arrived(self) -> list[str]:
        return [str(mail["Message-ID"])[1:].partition("@")[0] for mail in self.server.mails]


class OwnEvents:
    target = SELF
    message = EventMessage("price-changed", {"sku": "a"})

    def __init__(self) -> None:
        self.verdict: Any = "sent"
        self.ids: list[str] = []
        self.made = Couriers({}, self.track)

    async def track(self, delivery: StoredDelivery) -> DeliveryResult:
        self.ids.append(delivery.id)
        return DeliveryResult(self.verdict)

    def courier(self) -> Courier:
        return self.made

    def answer(self, verdict: str) -> None:
        self.verdict = verdict

    def arrived(self) -> list[str]:
        return self.ids


class Script:
    target = "crm"
    message = HttpMessage()

    def __init__(self) -> None:
        self.made = ScriptedCourier()

    def courier(self) -> Courier:
        return self.made

    def answer(self, verdict: Any) -> None:
        self.made.on("crm", always=DeliveryResult(verdict, status=ANSWERS[verdict]))

    def arrived(self) -> list[str]:
        return self.made.ids


async def no_events(delivery: StoredDelivery) -> DeliveryResult:
    raise AssertionError("no event is emitted here")


@pytest.fixture(params=["http", "webhook", "mail", "self", "scripted"])
async def system(request: pytest.FixtureRequest, serve: Serve) -> AsyncIterator[System]:
    match request.param:
        case "mail":
            async with MailServer() as server:
                yield MailSystem(server)
        case "self":
            yield OwnEvents()
        case "scripted":
            yield Script()
        case kind:
            message = HttpMessage() if kind == "http" else WebhookMessage("order.paid", {}, at=5)
            made = HttpSystem(message)
            await made.start(serve)
            yield made
            assert made.made is not None
            await made.made.close()


@pytest.mark.parametrize("verdict", ANSWERS)
async def test_an_attempt_returns_what_the_answer_means(system: System, verdict: str) -> None:
    system.answer(verdict)
    result = await system.courier().send(sample(message=system.message, target=system.target))
    assert result.verdict == verdict


async def test_every_attempt_has_the_id_of_the_delivery(system: System) -> None:
    first = sample("first", message=system.message, target=system.target)
    for delivery in (first, first, structs.replace(first, id="second")):
        await system.courier().send(delivery)
    assert system.arrived() == ["first", "first", "second"]


async def test_attempts_run_side_by_side(system: System) -> None:
    ids = [f"d{number}" for number in range(8)]
    results = await asyncio.gather(
        *(system.courier().send(sample(id, message=system.message, target=system.target)) for id in ids)
    )
    assert {result.verdict for result in results} == {"sent"}
    assert sorted(system.arrived()) == ids
