"""The clock of a flow test."""

import asyncio

from effects.clock import ManualClock


class VirtualClock(ManualClock):
    """A wall clock that the test advances, with the ticks of a `VirtualTimeLoop`.

    So timeouts, retries and the wait budget take virtual time, while `now` stays the same during a step.
    """

    def ticks(self) -> float:
        """Return the seconds that have passed on the running event loop."""
        return asyncio.get_running_loop().time()
