"""A performer that answers from a script instead of the network: for flow tests, dry runs and demonstrations."""

import asyncio
from fnmatch import fnmatchcase

from msgspec import Struct

from engine.flow.ask import HttpReply, NoAnswer, Reply
from engine.ports.world import OutsideCall


class _Script(Struct, kw_only=True):
    target: str
    path: str
    method: str
    flow: str
    node: str
    replies: tuple[Reply, ...]
    after: asyncio.Event | None
    used: int = 0

    def matches(self, call: OutsideCall) -> bool:
        return (
            call.ask.target == self.target
            and self.method in {"*", call.ask.method.upper()}
            and fnmatchcase(call.ask.path, self.path)
            and self.flow in {"*", call.flow}
            and self.node in {"*", call.node}
        )

    def next_reply(self) -> Reply:
        """Return the replies in turn, then the last one every time."""
        reply = self.replies[min(self.used, len(self.replies) - 1)]
        self.used += 1
        return reply


class ScriptedPerformer:
    """A `Performer` that answers by target, path and method, and by the flow and node that ask.

        performer = ScriptedPerformer()
        performer.on("crm", "/customers/*", HttpReply(200, {"tier": "gold"}))

    `calls` holds every call, in order. A call that no script matches is refused; the reason names the call.
    """

    def __init__(self) -> None:
        self.calls: list[OutsideCall] = []
        self._scripts: list[_Script] = []

    def on(
        self,
        target: str,
        path: str = "*",
        *replies: Reply,
        method: str = "*",
        flow: str = "*",
        node: str = "*",
        after: asyncio.Event | None = None,
    ) -> "ScriptedPerformer":
        """Script the replies to calls of `target` whose path matches the pattern `path` (`*` and `?`).

        Of several scripts that match, the one added last answers. It returns its replies in turn, then the last one
        every time; without replies, an empty 200. Each reply waits for the event `after`; a call whose timeout ends
        before that event is set times out.
        """
        script = _Script(
            target=target,
            path=path,
            method=method.upper(),
            flow=flow,
            node=node,
            replies=replies or (HttpReply(200),),
            after=after,
        )
        self._scripts.insert(0, script)
        return self

    async def perform(self, call: OutsideCall) -> Reply:
        """Return the scripted reply."""
        self.calls.append(call)
        ask = call.ask
        script = next((script for script in self._scripts if script.matches(call)), None)
        if script is None:
            reason = f"nothing is scripted for {ask.method} {ask.target} {ask.path}"
            return NoAnswer("refused", reason, retriable=False)
        reply = script.next_reply()
        if script.after is not None:
            try:
                async with asyncio.timeout(ask.timeout_ms / 1000):
                    await script.after.wait()
            except TimeoutError:
                return NoAnswer("timeout", f"no answer within {ask.timeout_ms} ms", took_ms=ask.timeout_ms)
        return reply
