"""Mocks: what look-ups are answered in a flow test, node by node. Nothing else goes outside."""

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

    of: Address
    ask: HttpAsk


class Unused(Struct, frozen=True):
    """A mock, at its place in the file, of whose `given` answers only some were wanted."""

    at: KeyPath
    of: Address
    wanted: int
    given: int


class _Answers(Struct):
    """The answers of one node in turn; the last one again and again."""

    at: KeyPath
    mocks: tuple[Mock, ...]
    used: int = 0

    def next(self) -> Mock:
        self.used += 1
        return self.mocks[min(self.used, len(self.mocks)) - 1]


class MockPerformer:
    """A `Performer` that answers each node as a case says. `requests` are those of the current step."""

    def __init__(self, addresses: Addresses) -> None:
        self.requests: list[Request] = []
        self.unmocked: list[Request] = []
        self.addresses = addresses
        self._answers: dict[Address, _Answers] = {}
        self._replaced: list[tuple[Address, _Answers]] = []

    def put(self, mocks: Mapping[str, Mock | tuple[Mock, ...]], at: KeyPath) -> None:
        """From now on these nodes are answered so."""
        for text, mock in mocks.items():
            address = self.addresses.outside(text)
            if address in self._answers:
                self._replaced.append((address, self._answers[address]))
            self._answers[address] = _Answers((*at, text), mock if isinstance(mock, tuple) else (mock,))

    def begin(self) -> None:
        """A step begins."""
        self.requests, self.unmocked = [], []

    def unused(self) -> Iterator[Unused]:
        """The mocks of whose answers some were never wanted."""
        for address, answers in [*self._replaced, *self._answers.items()]:
            if answers.used < len(answers.mocks):
                yield Unused(answers.at, address, answers.used, len(answers.mocks))

    async def perform(self, call: OutsideCall) -> Reply:
        """Return the reply that the case has for the node; without one, refuse, and record the request as unmocked."""
        request = Request(Address(call.flow, call.node), call.ask)
        self.requests.append(request)
        answers = self._answers.get(request.of)
        if answers is None:
            self.unmocked.append(request)
            return NoAnswer("refused", "the test says nothing of this look-up", retriable=False)
        return await _reply(answers.next(), call.ask)


async def _reply(mock: Mock, ask: HttpAsk) -> Reply:
    """What the HTTP client would make of such an answer."""
    if mock.fail == "timeout":
        await asyncio.sleep(ask.timeout_ms / 1000)
        return NoAnswer("timeout", f"no answer within {ask.timeout_ms} ms", took_ms=ask.timeout_ms)
    if mock.fail is not UNSET:
        return NoAnswer("connection", "no connection: the host cannot be reached")
    if mock.status in RETRIABLE_STATUSES:
        return NoAnswer("status", f"the target answered {mock.status}", status=mock.status)
    return HttpReply(mock.status, mock.body)
