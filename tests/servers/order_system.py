"""A shop's system that names its orders, page by page, to those who ask with the right key."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "key-of-the-shop"


class OrderSystem:
    """It has `last` orders. `asked` are the numbers after which it was asked, in order."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.asked: list[int] = []
        self.url = ""

    def page(self, after: int, limit: int) -> list[dict[str, Any]]:
        """The orders after a number."""
        self.asked.append(after)
        return [
            {
                "number": number,
                "customer": f"C-{number % 3}",
                "placed_at": f"2026-01-02T10:{number // 60 % 60:02}:{number % 60:02}Z",
                "total": 10,
            }
            for number in range(after + 1, min(after + limit, self.last) + 1)
        ]


@contextmanager
def serving_orders(last: int = 1_000_000) -> Iterator[OrderSystem]:
    """An order system that answers at `url`."""
    system = OrderSystem(last)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that the library calls
            query = parse_qs(urlsplit(self.path).query)
            allowed = self.headers.get("Authorization") == f"Bearer {KEY}"
            orders = system.page(int(query["after"][0]), int(query["limit"][0])) if allowed else []
            body = json.dumps({"orders": orders}).encode()
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    system.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield system
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
