"""The pages in which clients of pages run, on loopback: each loads a client and the script that drives it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.clients.installation import packages

SCRIPTS = Path(__file__).parent / "drivers" / "pages"
SDKS = {
    "segment": "@segment/analytics-next/dist/umd/index.js",
    "rudder": "@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js",
    "posthog": "posthog-js/dist/array.full.no-external.js",
    "rakam": "rakam-js/rakam.min.js",
}
"""The file of each client that a registry has, in `node_modules`."""


@contextmanager
def serving_pages() -> Iterator[str]:
    """Serve the pages; yields their origin. The page of a client has its name as path."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.strip("/")
        folder, _, file = name.partition("/")
        if name == "favicon.ico":
            self.send_response(204)
            self.end_headers()
        elif folder == "sdks":
            self._answer("text/javascript", (packages() / file).read_bytes())
        elif folder == "scripts":
            self._answer("text/javascript", (SCRIPTS / file).read_bytes())
        else:
            self._answer("text/html", _page(name).encode())

    def _answer(self, media_type: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"{media_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the output of the tests is about the clients."""


def _page(name: str) -> str:
    sources = [f"/sdks/{SDKS[name]}"] if name in SDKS else []
    tags = [f'<script src="{escape(source)}"></script>' for source in [*sources, f"/scripts/{name}.js"]]
    return f"<!doctype html><title>Shop</title>{''.join(tags)}"
