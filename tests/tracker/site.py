"""A web site on loopback, whose pages have the tracker of a real server."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from msgspec import Struct


class Page(Struct, frozen=True):
    """A page: its HTML and its Content-Security-Policy, if it has one."""

    body: str
    policy: str | None = None
    media_type: str = "text/html"


class Site:
    """The pages by their paths. `origin` is where they are."""

    def __init__(self, origin: str, pages: dict[str, Page]) -> None:
        self.origin = origin
        self._pages = pages

    def put(self, path: str, page: Page) -> str:
        """Serve a page; returns its address."""
        self._pages[path] = page
        return self.origin + path

    def page(self, address: str) -> Page:
        """Return the page at an address."""
        return self._pages[address.removeprefix(self.origin)]


def page_with_tracker(script: str, **attributes: str) -> str:
    """The HTML of a page that loads the tracker with `data-` attributes, without an inline script."""
    data = "".join(f' data-{name.replace("_", "-")}="{escape(value)}"' for name, value in attributes.items())
    return f'<!doctype html><title>Shop</title><script async src="{escape(script)}"{data}></script><h1>Shoes</h1>'


@contextmanager
def serving_site() -> Iterator[Site]:
    """Serve a site, which ends with the block."""
    pages: dict[str, Page] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            body = page.body.encode() if page else b""
            self.send_response(200 if page else 204)
            if page:
                self.send_header("Content-Type", f"{page.media_type}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
            if page and page.policy:
                self.send_header("Content-Security-Policy", page.policy)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the output of the tests is about the tracker."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield Site(f"http://127.0.0.1:{server.server_address[1]}", pages)
        finally:
            server.shutdown()
            thread.join()
