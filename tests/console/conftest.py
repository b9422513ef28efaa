"""A server with a project of its own, its first administrator, and a browser that has logged in."""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright

from tests.clients.installation import chromium
from tests.servers.left_out import or_skipped
from tests.system.server_process import ServerProcess, serving, write_project

PASSWORD = "four words are enough"
NOWHERE = "{crm: {url: 'http://127.0.0.1:1', private: true}}"  # nothing listens there
FLOW = """
flow: tier
description: Ask the customer database for the tier of a buyer.
trigger: {event: ordered}
nodes:
  revenue: {profile.increment: {traits.revenue: "{{ event.properties.total }}"}, next: crm}
  crm: {lookup.http: {target: crm, path: /tier}, next: {found: tier, missing: tier}}
  tier: {profile.set: {traits.tier: gold}}
"""
MENDED = (
    FLOW.replace("missing: tier}", "missing: tier, failed: later}")
    + """  later: {log: {level: warning, message: "The tier is not known"}}
"""
)


def shop_in(root: Path, flow: str = FLOW) -> Path:
    """A project whose look-up has no answer."""
    write_project(root, tier=flow)
    (root / "headrace.yaml").write_text(f"name: shop\ntargets: {NOWHERE}\nruns: {{keep: {{finished: 1.0}}}}\n")
    return root


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server of that project."""
    with serving(shop_in(tmp_path / "shop"), tmp_path / "store.db") as served:
        yield served


Send = Callable[..., dict[str, Any]]


def send_to(server: ServerProcess, *events: dict[str, Any], session: str = "s-1", **more: Any) -> dict[str, Any]:
    """Send events to a server. Returns the answer."""
    payload = {"source": {"id": "shop"}, "session": {"id": session}, "events": events, **more}
    request = Request(
        f"{server.address}/track", json.dumps(payload).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urlopen(request, timeout=20) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


@pytest.fixture
async def context(pytestconfig: pytest.Config) -> AsyncIterator[BrowserContext]:
    """A browser with empty storage: Debian's Chromium."""
    with or_skipped(pytestconfig, "The tests of the console"):
        path = chromium()
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        made = await launched.new_context(viewport={"width": 1360, "height": 900})
        made.set_default_timeout(20_000)
        yield made
        await launched.close()


@pytest.fixture
async def page(context: BrowserContext, server: ServerProcess) -> AsyncIterator[Page]:
    """A page on which the first administrator of the server has logged in. No console may have an error at the end."""
    (link,) = server.wait_for_output(r"(http://127\.0\.0\.1:\d+/console/login\?setup=[\w-]+)")
    page = await context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(link)
    await page.get_by_label("Name").fill("ida")
    for label in ("New password", "The same again"):
        await page.get_by_label(label).fill(PASSWORD)
    await page.get_by_role("button", name="Set the password").click()
    await page.wait_for_url(re.compile(r"/console$"))
    yield page
    assert errors == []
