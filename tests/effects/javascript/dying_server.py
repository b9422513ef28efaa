"""A process that runs one idle script and one that loops, writes the ids of their processes, and waits to be killed."""

import asyncio

from effects.javascript.runner import JavaScriptRunner
from engine.project.script import Script
from tests.effects.javascript.worlds import MemoryWorld


async def main() -> None:
    runner, world = JavaScriptRunner(), MemoryWorld()
    await runner.run(Script(file="idle.js", text="function main() {}"), "main", [], world, 10_000)
    looping = "function main() { config.get('begun'); for (;;); }"
    calling = asyncio.create_task(runner.run(Script(file="loop.js", text=looping), "main", [], world, 60_000))
    await world.asked.wait()
    print(*[queue.process.pid for queue in runner._scripts.values() if queue.process], flush=True)  # noqa: T201
    await calling


asyncio.run(main())
