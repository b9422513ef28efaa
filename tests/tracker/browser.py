"""A browser that tests drive by steps in JavaScript."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.clients.installation import chromium, node, packages
from tests.servers.account import dying_with_us

DRIVER = Path(__file__).with_name("browser.cjs")
PATIENCE = 30  # seconds for a step
OPEN = """
if (kept.context) await kept.context.close();
kept.context = await browser.newContext();
await kept.context.clock.install();
kept.lines = [];
kept.later = (ms) => kept.context.clock.runFor(ms);
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
    """Chromium with one context at a time: `context`, `open(url)` and `lines` of its consoles are members of `kept`.

    Its pages have a clock of their own, which goes on by itself, and leaps by `later(ms)`.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    async def run(self, code: str, **values: Any) -> Any:
        """Run a step: the body of an async function that gets the values. Returns its result."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps({'code': code, 'values': values})}\n")
        self._process.stdin.flush()
        async with asyncio.timeout(PATIENCE):
            answer = json.loads(await asyncio.to_thread(self._process.stdout.readline))
        assert "error" not in answer, answer["error"]
        return answer["result"]

    async def begin(self) -> None:
        """Begin with an empty device, which knows no other test's pages."""
        await self.run(OPEN)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser that ends with the block. Raises `Missing` where Node or Chromium is missing."""
    command = [*dying_with_us(), str(node()), str(DRIVER), str(chromium())]
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "NODE_PATH": str(packages())}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield Browser(process)
