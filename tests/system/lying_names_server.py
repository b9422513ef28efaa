"""A server whose name service leads to this machine.

`inside.example` always does. `rebound.example` is public when it is asked for first, and then it is here: a server that
asks twice, to check the address and to connect, is led here.
"""

import socket
from itertools import count

from aiohttp import ThreadedResolver
from aiohttp.abc import ResolveResult

from cli.main import main

INSIDE = "inside.example"
REBOUND = "rebound.example"
PUBLIC = "3ffe::1"  # once of a test network; it leads nowhere

_asked = count()
_resolve = ThreadedResolver.resolve


async def resolve(
    self: ThreadedResolver, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
) -> list[ResolveResult]:
    """Answer as the system does, but for these names."""
    if host not in {INSIDE, REBOUND}:
        return await _resolve(self, host, port, family)
    is_public = host == REBOUND and next(_asked) % 2 == 0
    address, kind = (PUBLIC, socket.AF_INET6) if is_public else ("127.0.0.1", socket.AF_INET)
    return [ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)]


if __name__ == "__main__":
    ThreadedResolver.resolve = resolve  # type: ignore[method-assign]
    main()
