"""Look-ups that share their answers: equal ones at the same time, and later ones from a cache.

Two look-ups are equal if target, method, path, query, headers and body are. A look-up (`HttpAsk`) says how it may be
answered:

- `share`: by the answer to an equal one that is under way;
- `cache_ms`: by an answer that came so long ago at most;
- `stale_ms`: in place of no usable answer, by one that is older than that by so much at most. The reply then says how
  old it is and which answer it stands for.

An answer is kept if it would not make its node leave by `failed`: one with a status from 200 to 299, 404 or 410.
"""

from collections.abc import Hashable
from hashlib import blake2b
from typing import Final

import msgspec
from msgspec.structs import replace

from effects.lookup_cache import LookupCache
from effects.single_flight import SingleFlight
from engine.flow.ask import HttpAsk, HttpReply, NoAnswer, Reply
from engine.ports.world import Clock, OutsideCall, Performer

_MISSING: Final = frozenset({404, 410})

_encode = msgspec.json.Encoder().encode


class SharedLookups:
    """A `Performer` that asks another one only what it cannot answer itself."""

    def __init__(self, performer: Performer, clock: Clock, cache: LookupCache | None = None) -> None:
        self._performer = performer
        self._clock = clock
        self._cache = LookupCache() if cache is None else cache
        self._under_way = SingleFlight()
        self._clearings = 0
        self.answered = 0  # look-ups that the cache has answered

    @property
    def kept(self) -> int:
        """How many answers are kept."""
        return len(self._cache)

    async def perform(self, call: OutsideCall) -> Reply:
        """Return the reply of the cache, of an equal call that is under way, or of the call."""
        ask = call.ask
        keeps = ask.cache_ms > 0 or ask.stale_ms > 0
        if not keeps and not ask.share:
            return await self._performer.perform(call)
        key = _request_key(ask)
        if (kept := self._kept(key, ask.cache_ms)) is not None:
            return kept
        began, clearings = self._clock.ticks(), self._clearings
        reply = await self._asked(key, call)
        if isinstance(reply, HttpReply) and is_usable(reply):
            if keeps and clearings == self._clearings:
                self._keep(key, ask, reply)
            return reply
        if (kept := self._kept(key, ask.cache_ms + ask.stale_ms)) is not None:
            return replace(kept, stale=_why(ask, reply), took_ms=round((self._clock.ticks() - began) * 1000))
        return reply

    def clear(self) -> None:
        """Drop all answers. Those to calls that are under way are neither kept nor given to later callers."""
        self._clearings += 1
        self._under_way = SingleFlight()
        self._cache.clear()

    def drop_old(self) -> None:
        """Drop answers that may not be used any more."""
        self._cache.drop_old(self._clock.ticks())

    async def _asked(self, key: bytes, call: OutsideCall) -> Reply:
        if not call.ask.share:
            return await self._performer.perform(call)
        flight: Hashable = (key, call.ask.timeout_ms, call.hops)
        return await self._under_way.reply(flight, lambda: self._performer.perform(call))

    def _kept(self, key: bytes, for_ms: int) -> HttpReply | None:
        """Return the answer in the cache, if it is not older than `for_ms`."""
        kept = self._cache.find(key) if for_ms else None
        if kept is None or (age := kept.age_ms(self._clock.ticks())) >= for_ms:
            return None
        self.answered += 1
        return replace(kept.reply, took_ms=0, age_ms=age)

    def _keep(self, key: bytes, ask: HttpAsk, reply: HttpReply) -> None:
        now = self._clock.ticks()
        self._cache.keep(key, reply, now, now + (ask.cache_ms + ask.stale_ms) / 1000)


def is_usable(reply: HttpReply) -> bool:
    """Return whether an answer leads a look-up to another port than `failed`."""
    return 200 <= reply.status < 300 or reply.status in _MISSING


def _request_key(ask: HttpAsk) -> bytes:
    question = (ask.target, ask.method, ask.path, ask.query, ask.headers, ask.body)
    return blake2b(_encode(question), digest_size=20).digest()


def _why(ask: HttpAsk, reply: Reply) -> str:
    if isinstance(reply, NoAnswer):
        return reply.reason
    return f"`{ask.target}` answered {reply.status}" if isinstance(reply, HttpReply) else ""
