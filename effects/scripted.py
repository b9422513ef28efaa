"""A performer that answers from a script instead of the network: for flow tests, dry runs and demonstrations."""

import asyncio
from fnmatch import fnmatchcase

from msgspec import Struct

from engine.flow.ask import HttpAsk, HttpReply, NoAnswer, Reply


class _Script(Struct):
    target: str
    path: str
    method: str
    replies: tuple[Reply, ...]
    after: asyncio.Event | None
    used: int = 0

    def matches(self, ask: HttpAsk) -> bool:
        return (
            ask.target == self.target and self.method in {"*", ask.method.upper()} and fnmatchcase(ask.path, self.path)
        )

    def next(self) -> Reply:
        """The replies in turn; the last one again and again."""
        reply = self.replies[min(self.used, len(self.replies) - 1)]
        self.used += 1
        return reply


class ScriptedPerformer:
    """Answers asks by target, method and path; a `Performer`. `asked` holds every ask, in order.

        performer = ScriptedPerformer()
        performer.on("crm", "/customers/*", HttpReply(200, {"tier": "gold"}))

    An ask that nothing was scripted for is refused, and the reason names it.
    """

    def __init__(self) -> None:
        self.asked: list[HttpAsk] = []
        self._scripts: list[_Script] = []

    def on(
        self,
        target: str,
        path: str = "*",
        *replies: Reply,
        method: str = "*",
        after: asyncio.Event | None = None,
    ) -> "ScriptedPerformer":
        """Script what asks to `target` get whose path matches the pattern (`*` and `?`); the latest that fits counts.

        Several replies are given in turn, the last one for ever; none at all means an empty 200. The reply waits for
        the event `after`; if that is not set within the ask's timeout, the ask times out.
        """
        self._scripts.insert(0, _Script(target, path, method.upper(), replies or (HttpReply(200),), after))
        return self

    async def perform(self, ask: HttpAsk) -> Reply:
        """The scripted reply to `ask`."""
        self.asked.append(ask)
        script = next((script for script in self._scripts if script.matches(ask)), None)
        if script is None:
            reason = f"nothing is scripted for {ask.method} {ask.target} {ask.path}"
            return NoAnswer("refused", reason, retriable=False)
        reply = script.next()
        if script.after is not None:
            try:
                async with asyncio.timeout(ask.timeout_ms / 1000):
                    await script.after.wait()
            except TimeoutError:
                return NoAnswer("timeout", f"no answer within {ask.timeout_ms} ms", took_ms=ask.timeout_ms)
        return reply
