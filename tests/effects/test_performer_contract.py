"""The contract of `Performer`, checked on every implementation in `effects/`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from effects.clock import SystemClock
from effects.http import HttpPerformer
from effects.limited_lookups import LimitedLookups
from effects.scripted import ScriptedPerformer
from effects.shared_lookups import SharedLookups
from engine.flow.ask import HttpReply, NoAnswer
from engine.ports.world import OutsideCall, Performer
from engine.project.source import Target
from tests.effects.calls import call
from tests.effects.http_server import Serve

Open = Callable[[asyncio.Event], Awaitable[Performer]]


@pytest.fixture(params=["http", "scripted", "shared and limited"])
async def performer_for(request: pytest.FixtureRequest, serve: Serve) -> AsyncIterator[Open]:
    """Opens a performer whose target `crm` answers 200 with `{"tier": "gold"}` once the event is set."""
    opened: list[HttpPerformer] = []

    async def http(gate: asyncio.Event) -> Performer:
        async def handler(_: web.Request) -> web.Response:
            await gate.wait()
            return web.json_response({"tier": "gold"})

        opened.append(HttpPerformer({"crm": Target(url=await serve(handler), private=True)}))
        return opened[-1]

    async def scripted(gate: asyncio.Event) -> Performer:
        return ScriptedPerformer().on("crm", "*", HttpReply(200, {"tier": "gold"}), after=gate)

    async def shared_and_limited(gate: asyncio.Event) -> Performer:
        clock = SystemClock()
        return SharedLookups(LimitedLookups(await scripted(gate), {"crm": Target(url="http://crm")}, clock), clock)

    yield {"http": http, "scripted": scripted}.get(request.param, shared_and_limited)
    for performer in opened:
        await performer.close()


@pytest.fixture
def open_gate() -> asyncio.Event:
    """A gate that lets every answer pass."""
    gate = asyncio.Event()
    gate.set()
    return gate


async def test_a_call_returns_the_targets_reply(performer_for: Open, open_gate: asyncio.Event) -> None:
    reply = await (await performer_for(open_gate)).perform(call("crm", path="/customers/7"))
    assert isinstance(reply, HttpReply)
    assert (reply.status, reply.body) == (200, {"tier": "gold"})


async def test_a_reply_is_the_same_for_every_node_and_attempt(performer_for: Open, open_gate: asyncio.Event) -> None:
    performer = await performer_for(open_gate)
    first = call("crm")
    retry = OutsideCall(ask=first.ask, flow="other", node="other", event="e-2", number=2, attempt=3)
    replies = [await performer.perform(each) for each in (first, retry)]
    assert [reply.body for reply in replies if isinstance(reply, HttpReply)] == [{"tier": "gold"}] * 2


async def test_a_call_of_an_unknown_target_is_refused(performer_for: Open, open_gate: asyncio.Event) -> None:
    reply = await (await performer_for(open_gate)).perform(call("erp"))
    assert isinstance(reply, NoAnswer)
    assert (reply.kind, reply.retriable) == ("refused", False)


async def test_a_target_that_does_not_answer_in_time_is_a_timeout(performer_for: Open) -> None:
    reply = await (await performer_for(asyncio.Event())).perform(call("crm", timeout_ms=20))
    assert isinstance(reply, NoAnswer)
    assert (reply.kind, reply.retriable) == ("timeout", True)


async def test_a_cancelled_call_raises_and_does_not_disturb_the_next(performer_for: Open) -> None:
    gate = asyncio.Event()
    performer = await performer_for(gate)
    calling = asyncio.create_task(performer.perform(call("crm", timeout_ms=60_000)))
    await asyncio.sleep(0)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    gate.set()
    assert isinstance(await performer.perform(call("crm")), HttpReply)
