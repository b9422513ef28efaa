"""A browser that tests drive by steps in JavaScript."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.clients.installation import chromium, node, packages
from tests.servers.account import dying_with_us

DRIVER = Path(__file__).with_name("browser.cjs")
PATIENCE = 30  # seconds for a step
OPEN = """
kept.context = await browser.newContext();
kept.lines = [];
kept.open = async (url) => {
  const page = await kept.context.newPage();
  page.on('console', (message) => kept.lines.push(message.text()));
  page.on('pageerror', (error) => kept.lines.push('pageerror: ' + error));
  await page.goto(url);
  await page.waitForFunction(() => window.headrace && window.headrace.track);
  return page;
};
"""


class Browser:
    """Chromium with one context: `context`, `open(url)` and `lines` of its consoles are members of `kept`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, code: str, **values: Any) -> Any:
        """Run a step: the body of an async function that gets the values. Returns its result."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps({'code': code, 'values': values})}\n".encode())
        async with asyncio.timeout(PATIENCE):
            answer = json.loads(await self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"]


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """A browser that ends with the block. Raises `Missing` where Node or Chromium is missing."""
    command = [str(node()), str(DRIVER), str(chromium())]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "NODE_PATH": str(packages())}
    process = await asyncio.create_subprocess_exec(
        *dying_with_us(),
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
        limit=1_000_000,
    )
    assert process.stdin is not None
    try:
        browser = Browser(process)
        await browser.run(OPEN)
        yield browser
    finally:
        process.stdin.close()
        await process.wait()
