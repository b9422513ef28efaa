"""Mocks: the answers to look-ups in a flow test, node by node. A test makes no real requests."""

import asyncio
from collections.abc import Iterator, Mapping

from msgspec import UNSET, Struct

from effects.response import RETRIABLE_STATUSES
from engine.flow.ask import HttpAsk, HttpReply, NoAnswer, Reply
from engine.ports.world import OutsideCall
from engine.problem import KeyPath
from flows.address import Address, Addresses
from flows.case import Mock


class Request(Struct, frozen=True):
    """A request that a node made."""

    address: Address
    ask: HttpAsk


class UnusedMock(Struct, frozen=True):
    """A mock, with its place in the file, of whose `answers` only the first `used` were needed."""

    at: KeyPath
    address: Address
    used: int
    answers: int


class _Answers(Struct):
    """The answers for one node: each in turn, then the last one every time."""

    at: KeyPath
    mocks: tuple[Mock, ...]
    used: int = 0

    def next_mock(self) -> Mock:
        self.used += 1
        return self.mocks[min(self.used, len(self.mocks)) - 1]


class MockPerformer:
    """A `Performer` that answers each node with its mock.

    `requests` are the requests of the current step, `unmocked` those of them for which there was no mock.
    """

    def __init__(self, addresses: Addresses) -> None:
        self.requests: list[Request] = []
        self.unmocked: list[Request] = []
        self.addresses = addresses
        self._answers: dict[Address, _Answers] = {}
        self._replaced: list[tuple[Address, _Answers]] = []

    def add(self, mocks: Mapping[str, Mock | tuple[Mock, ...]], at: KeyPath) -> None:
        """Answer these nodes with these mocks from now on, in place of earlier ones."""
        for text, mock in mocks.items():
            address = self.addresses.outside(text)
            if address in self._answers:
                self._replaced.append((address, self._answers[address]))
            self._answers[address] = _Answers((*at, text), mock if isinstance(mock, tuple) else (mock,))

    def start_step(self) -> None:
        """Drop the requests of the previous step."""
        self.requests, self.unmocked = [], []

    def unused(self) -> Iterator[UnusedMock]:
        """Yield the mocks that have answers which were never needed."""
        for address, answers in [*self._replaced, *self._answers.items()]:
            if answers.used < len(answers.mocks):
                yield UnusedMock(answers.at, address, answers.used, len(answers.mocks))

    async def perform(self, call: OutsideCall) -> Reply:
        """Return the reply for the node that calls. A call without a mock is refused and recorded as unmocked."""
        request = Request(Address(call.flow, call.node), call.ask)
        self.requests.append(request)
        address = request.address
        answers = self._answers.get(address) or self._answers.get(Address(address.flow, address.id))
        if answers is None:
            self.unmocked.append(request)
            return NoAnswer("refused", "the test has no mock for this look-up", retriable=False)
        return await _reply(answers.next_mock(), call.ask)


async def _reply(mock: Mock, ask: HttpAsk) -> Reply:
    """Return the reply that the HTTP client makes of such an answer."""
    if mock.fail == "timeout":
        await asyncio.sleep(ask.timeout_ms / 1000)
        return NoAnswer("timeout", f"no answer within {ask.timeout_ms} ms", took_ms=ask.timeout_ms)
    if mock.fail is not UNSET:
        return NoAnswer("connection", "no connection: the host cannot be reached")
    if mock.status in RETRIABLE_STATUSES:
        return NoAnswer("status", f"the target answered {mock.status}", status=mock.status)
    return HttpReply(mock.status, mock.body)
