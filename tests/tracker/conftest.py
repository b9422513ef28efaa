"""A server, a web site whose pages have its tracker, a browser, and a proxy that lets requests fail."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import cache
from itertools import count
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from tests.clients.faulty_proxy import FaultyProxy
from tests.servers.left_out import or_skipped
from tests.system.server_process import ServerProcess, serving_on
from tests.tracker.browser import Browser, running_browser
from tests.tracker.site import Page, Site, page_with_tracker, serving_site

SETTINGS = "name: shop\nidentity: {user: traits.user_id}\n"
IDENTIFY = """
flow: identify
trigger: {event: identify}
profile: required
nodes:
  traits: {profile.copy: {traits: "{{ event.properties }}"}}
"""
SOURCES = 40
MARK = re.compile(rb'\{"id":"([^"]+)","type"')
TIMES = count()

Document = dict[str, Any]


class Shop:
    """A source of its own for a test, the pages that send to it by a proxy, and what the server has stored."""

    def __init__(self, source: str, site: Site, server: ServerProcess, proxy: FaultyProxy, browser: Browser) -> None:
        self.source, self.site, self.server, self.proxy, self.browser = source, site, server, proxy, browser

    def page(self, path: str = "/", policy: str | None = None, **attributes: str) -> str:
        """The address of a page; it has the consent of its visitor unless the attributes say otherwise."""
        data = {"source": self.source, "url": self.proxy.url, "consent": "granted", **attributes}
        body = page_with_tracker(f"{self.server.address}/tracker.js", **{k: v for k, v in data.items() if v})
        return self.site.put(f"/{self.source}{path}", Page(body, policy))

    async def run(self, code: str, **values: Any) -> Any:
        """Run a step in the browser."""
        return await self.browser.run(code, **values)

    def get(self, path: str) -> Any:
        """The answer of the server to an operator."""
        request = Request(f"{self.server.address}{path}", headers=self.server.admin)
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)

    async def later(self, seconds: float) -> None:
        """Let so much time pass in the pages."""
        await self.run("await kept.later(ms)", ms=seconds * 1000)

    async def settled(self, events: int) -> None:
        """Let time pass in the pages until they have delivered so many events, and no fault is to come."""
        settled = asyncio.create_task(self.proxy.settled(events))
        try:
            while not (await asyncio.wait([settled], timeout=0.1))[0]:
                await self.later(1)
        finally:
            settled.cancel()

    async def stored(self, events: int) -> list[Document]:
        """The stored events of clients in their order, when so many have been delivered: each once, none rejected."""
        await self.settled(events)
        query = quote(f"source:{self.source} AND origin:client")
        found: list[Document] = self.get(f"/search/events?q={query}&limit=500")["items"]
        assert Counter(event["id"] for event in found) == Counter(self.proxy.sent)
        assert not [one for one in self.get("/rejected") if one["source"] == self.source]
        return sorted(found, key=lambda event: str(event["id"]))


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The web site."""
    with serving_site() as site:
        yield site


@pytest.fixture(scope="session")
def server(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server on SQLite with a source for each test."""
    place = tmp_path_factory.mktemp("tracker")
    for folder in ("flows", "sources"):
        (place / folder).mkdir()
    (place / "headrace.yaml").write_text(SETTINGS)
    (place / "flows" / "identify.yaml").write_text(IDENTIFY)
    for number in range(SOURCES):
        text = f"source: shop-{number}\nkind: public\norigins: ['{site.origin}']\ndebugger: true\n"
        (place / "sources" / f"shop-{number}.yaml").write_text(text)
    with serving_on(place, f"sqlite:{place / 'store.db'}") as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Iterator[Callable[[], Browser]]:
    """Returns the browser of all tests, which the first one starts. Raises `Missing` where there is none."""
    with ExitStack() as stack:
        yield cache(lambda: stack.enter_context(running_browser()))


@pytest.fixture
async def browser(request: pytest.FixtureRequest, chromium: Callable[[], Browser]) -> Browser:
    """The browser, on a device of its own for the test."""
    with or_skipped(request.config, "Node and Chromium"):
        browser = chromium()
    await browser.begin()
    return browser


@pytest.fixture
async def shop(browser: Browser, site: Site, server: ServerProcess) -> AsyncIterator[Shop]:
    """A shop of its own for the test, on a device of its own."""
    async with FaultyProxy(server.address, MARK) as proxy:
        yield Shop(f"shop-{next(TIMES)}", site, server, proxy, browser)
