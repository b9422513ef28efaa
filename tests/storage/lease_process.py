"""A process that tends one lease and writes a line for each act as holder, until its standard input ends.

`python -m tests.storage.lease_process STORE HOLDER`
"""

import asyncio
import sys
from pathlib import Path

from effects.clock import SystemClock
from engine.ports.lease import Lease, Timing
from engine.ports.store import Unavailable
from storage import open_store

BRISK = Timing(renew=0.05, valid=0.3, takeover=0.5)


async def _act(address: str, holder: str) -> None:
    store, ticks = open_store(address, Path()), SystemClock().ticks
    lease = Lease(store, "timers", holder, ticks, timing=BRISK)
    renewed = ticks()
    print("started", flush=True)  # noqa: T201
    while True:
        if ticks() >= renewed:
            renewed = ticks() + BRISK.renew
            try:
                await lease.tend()
            except Unavailable:
                continue
        looked = ticks()
        if lease.held:  # then it was held at `looked`, too
            print(looked, lease.term, flush=True)  # noqa: T201
        await asyncio.sleep(0.005)


async def _main() -> None:
    acting = asyncio.create_task(_act(*sys.argv[1:3]))
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    await asyncio.wait([acting, ended], return_when=asyncio.FIRST_COMPLETED)
    if acting.done():
        acting.result()
    acting.cancel()


if __name__ == "__main__":
    asyncio.run(_main())
