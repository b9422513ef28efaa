"""A sender with its store, courier and clock, on virtual time: hours pass at once."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from cli.testing.virtual_clock import VirtualClock
from effects.scripted_courier import ScriptedCourier
from effects.virtual_time_loop import VirtualTimeLoop
from engine.ports.kinds import DELIVERIES
from engine.ports.outbox import StoredDelivery
from engine.ports.records import RecordWrite, Unit
from engine.ports.store import Store, Unavailable
from engine.project.project import Project
from engine.project.source import Target
from engine.sending.sender import Reports
from engine.sending.sending import Process, Sending
from storage.memory import MemoryStore
from tests.engine.sending.samples import NOW

Story = Callable[[], Coroutine[Any, Any, None]]


class LoopClock(VirtualClock):
    """A wall clock that goes with the loop's virtual time."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self.jump = 0  # ms by which an operator has set it

    def now(self) -> int:
        return NOW + round(self.ticks() * 1000) + self.jump


class Scene:
    """One process that sends for a project with targets; `beside` makes another one over the same store."""

    def __init__(self, targets: dict[str, Target] | None = None, store: Store | None = None) -> None:
        self.project = Project(targets=targets or {"crm": Target(url="https://crm.example")})
        self.store: Store = store or MemoryStore()
        self.courier = ScriptedCourier()
        self.clock = LoopClock()
        self.failures: list[Unavailable] = []
        self.opened: list[tuple[str, float, str]] = []
        self.closed: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.sending: Sending | None = None

    def beside(self) -> "Scene":
        """Another process over the same store, with a courier of its own."""
        return Scene(dict(self.project.targets), self.store)

    async def start(self, holder: str = "one", *, sole: bool = False) -> None:
        """Start to send."""
        reports = Reports(
            self.failures.append,
            lambda target, seconds, why: self.opened.append((target, seconds, why)),
            self.closed.append,
        )
        process = Process(
            store=self.store, courier=self.courier, clock=self.clock, holder=holder, reports=reports, sole=sole
        )
        self.sending = Sending(self.project, process)
        self._tasks = [asyncio.create_task(work()) for work in self.sending.works.values()]

    async def stop(self) -> None:
        """Stop as a process does that is asked to."""
        await self.kill()
        assert self.sending is not None
        await self.sending.close()

    async def kill(self) -> None:
        """End all work at once, as if the process were killed: nothing is released."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def write(self, *deliveries: StoredDelivery, offered: bool = False) -> None:
        """Commit deliveries. `offered`: by this process, which is handed them."""
        changes = tuple([RecordWrite(DELIVERIES, each, each.version - 1) for each in deliveries])
        for change in changes:
            await self.store.commit(Unit(changes=(change,)))
        if offered and self.sending is not None:
            self.sending.committed(changes)

    async def read(self, id: str) -> StoredDelivery:
        """The stored delivery."""
        found = await self.store.record(DELIVERIES, id)
        assert found is not None
        return found

    async def state(self, id: str) -> str:
        """The state of a stored delivery; `gone` without a record."""
        found = await self.store.record(DELIVERIES, id)
        return "gone" if found is None else found.state

    async def until(self, holds: Callable[[], Awaitable[bool]], seconds: float = 3600, step: float = 0.5) -> float:
        """Let time pass until something holds; returns the time (seconds)."""
        end = self.clock.ticks() + seconds
        while not await holds():
            assert self.clock.ticks() < end, "it does not come to hold"
            await asyncio.sleep(step)
        return self.clock.ticks()

    async def ended(self, *ids: str, seconds: float = 3600) -> float:
        """Let time pass until these deliveries have ended; returns the time (seconds)."""

        async def all_ended() -> bool:
            return all([await self.state(id) != "waiting" for id in ids])

        return await self.until(all_ended, seconds)


def on_virtual_time(story: Story) -> None:
    """Run a story on a loop on which waiting takes no time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(story())
