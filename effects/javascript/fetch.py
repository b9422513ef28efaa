"""`http` of scripts: a request goes to the target of the project whose address it begins with, or nowhere.

So a script reaches what a flow may reach, with the same headers, limits and guards. It names an address as a whole,
and the part behind the target's own becomes the path and the query of a look-up.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

import msgspec

from engine.flow.ask import HttpAsk, HttpReply
from engine.ports.script import ScriptFailed, ScriptRequest, ScriptResponse
from engine.ports.world import OutsideCall, Performer
from engine.project.source import Target, is_mail

TIMEOUT_MS: Final = 10_000
MAX_FIELDS: Final = 500  # of a query


class ScriptFetch:
    """Answers the requests of one script, named `script` in messages."""

    def __init__(self, performer: Performer, targets: Mapping[str, Target], script: str) -> None:
        self._performer = performer
        self._targets = targets
        self._script = script
        self._number = 0

    async def __call__(self, request: ScriptRequest) -> ScriptResponse:
        """Return the answer to a request. Raises `ScriptFailed` if no target has its address, or it has no answer."""
        self._number += 1
        ask = self._ask(request)
        call = OutsideCall(ask=ask, flow=self._script, node="http", event="", number=self._number)
        reply = await self._performer.perform(call)
        if not isinstance(reply, HttpReply):
            raise ScriptFailed(f"{request.method} to the target {ask.target}: {getattr(reply, 'reason', 'no answer')}")
        body = reply.body
        text = body if isinstance(body, str) else "" if body is None else msgspec.json.encode(body).decode()
        return ScriptResponse(reply.status, text)

    def _ask(self, request: ScriptRequest) -> HttpAsk:
        name, path, query = target_of(request.url, self._targets)
        return HttpAsk(
            target=name,
            method=request.method,
            path=path,
            query=query,
            headers=dict(request.headers),
            text=request.body,
            timeout_ms=TIMEOUT_MS,
        )


def target_of(url: str, targets: Mapping[str, Target]) -> tuple[str, str, dict[str, list[str]]]:
    """Return the target that an address belongs to, the path behind the target's own, and the query.

    Of several targets it is the one with the longest address. Raises `ScriptFailed` if there is none.
    """
    try:
        asked = urlsplit(url)
        origin = _origin(asked)
        query = parse_qs(asked.query, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise ScriptFailed("the address of a request is no URL") from None
    if asked.username is not None or asked.password is not None:
        raise ScriptFailed("the address of a request has no user name and no password: the target has them as headers")
    found, longest = None, -1
    for name, target in targets.items():
        base = urlsplit(target.url)
        path = base.path.rstrip("/")
        if is_mail(target) or origin != _origin(base):
            continue
        if len(path) > longest and (asked.path == path or asked.path.startswith(f"{path}/")):
            longest, found = len(path), name
    if found is None:
        where = f"{asked.scheme}://{asked.hostname}" if asked.hostname else "without a host"
        raise ScriptFailed(f"no target has the address {where}: add one to `targets:` in headrace.yaml")
    return found, asked.path[longest:] or "/", query


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    """Return the scheme, the host and the port of an address. Raises `ValueError`."""
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)


_PORTS: Final = {"http": 80, "https": 443}
