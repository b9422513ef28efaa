"""The performer of flow tests, called directly."""

import pytest

from cli.testing.mocks import MockPerformer, UnusedMock
from engine.flow.ask import HttpAsk, HttpReply, NoAnswer
from engine.ports.world import OutsideCall, Performer
from engine.project.source import Target
from flows.address import Address, Addresses
from flows.case import Mock
from tests.projects import project

FLOW = """
flow: {name}
trigger: {{event: ask}}
nodes:
  crm: {{lookup.http: {{target: crm}}}}
"""
GOLD, SILVER = Mock(body={"tier": "gold"}), Mock(body={"tier": "silver"})


def call(flow: str, path: str = "/", attempt: int = 1) -> OutsideCall:
    return OutsideCall(ask=HttpAsk("crm", path=path), flow=flow, node="crm", event="e-1", attempt=attempt)


@pytest.fixture
def mocks() -> MockPerformer:
    """A performer without mocks for two flows, `first` and `second`, that both have a node `crm`."""
    flows = [FLOW.format(name=name) for name in ("first", "second")]
    return MockPerformer(Addresses(project(*flows, targets={"crm": Target(url="https://crm.example")}), "first"))


async def body_of(performer: Performer, call: OutsideCall) -> object:
    reply = await performer.perform(call)
    assert isinstance(reply, HttpReply), reply
    return reply.body


async def test_nodes_of_one_id_get_the_mocks_of_their_own_flow(mocks: MockPerformer) -> None:
    mocks.add({"first.crm": GOLD, "second.crm": SILVER}, ())
    assert await body_of(mocks, call("second")) == {"tier": "silver"}
    assert await body_of(mocks, call("first")) == {"tier": "gold"}


async def test_answers_are_returned_in_turn_and_then_the_last_one_every_time(mocks: MockPerformer) -> None:
    mocks.add({"crm": (GOLD, SILVER)}, ())
    bodies = [await body_of(mocks, call("first", attempt=n)) for n in (1, 2, 3)]
    assert bodies == [{"tier": "gold"}, {"tier": "silver"}, {"tier": "silver"}]


async def test_a_call_without_a_mock_is_refused_and_recorded(mocks: MockPerformer) -> None:
    mocks.add({"first.crm": GOLD}, ())
    reply = await mocks.perform(call("second", "/tiers"))
    assert isinstance(reply, NoAnswer)
    assert (reply.kind, reply.retriable) == ("refused", False)
    assert [(each.address, each.ask.path) for each in mocks.unmocked] == [(Address("second", "crm"), "/tiers")]


async def test_a_new_step_drops_the_recorded_requests(mocks: MockPerformer) -> None:
    await mocks.perform(call("first"))
    mocks.start_step()
    assert (mocks.requests, mocks.unmocked) == ([], [])


async def test_unused_answers_are_reported_with_their_place(mocks: MockPerformer) -> None:
    mocks.add({"first.crm": (GOLD, SILVER)}, ("cases", 0, "mocks"))
    await mocks.perform(call("first"))
    place = ("cases", 0, "mocks", "first.crm")
    assert list(mocks.unused()) == [UnusedMock(place, Address("first", "crm"), used=1, answers=2)]
