"""Orders for `/track`: the same requests as those of `track.lua`, an exact number of them, over many connections."""

import json
import random
import selectors
import socket
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from itertools import count
from typing import Any, Self

ANSWER_SECONDS = 120  # a server under callgrind on a busy machine is slow
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
CONTEXT = {
    "page": {"url": "https://shop.example/checkout/thank-you", "title": "Thank you"},
    "screen": {"width": 1440, "height": 900},
    "locale": "en-GB",
}
ITEMS = [{"sku": "nike-42", "quantity": 1, "price": 49.5}]


class NotTaken(Exception):
    """The server did not answer an order by 200; the message says what happened."""


class Orders:
    """A series of orders that is the same at every start. The sessions take turns."""

    def __init__(self, sessions: int, *, client_ids: bool) -> None:
        self._sessions = sessions
        self._client_ids = client_ids
        self._numbers = count(1)
        self._random = random.Random(7)

    def request(self, total: float) -> bytes:
        """Return the next request, head and body; `total` is what its order costs."""
        number = next(self._numbers)
        properties = {"order": f"A-{number}", "total": total, "tier": "gold", "currency": "EUR", "items": ITEMS}
        event: dict[str, Any] = {"type": "order-completed", "properties": properties}
        if self._client_ids:
            event = {"id": f"1700000000123456-{number:08d}-{self._random.randrange(10**6):06d}", **event}
        session = f"5b2c1d9e-77aa-4c1e-9f10-{number % self._sessions:08d}"
        payload = {"source": {"id": "shop"}, "session": {"id": session}, "context": CONTEXT, "events": [event]}
        body = json.dumps({**payload, "options": {}}, separators=(",", ":")).encode()
        head = (
            f"POST /track HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"User-Agent: {AGENT}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


class Connections:
    """Connections that stay open. Each sends its next order as soon as its last one is answered."""

    def __init__(self, port: int, number: int) -> None:
        self._sockets = [socket.create_connection(("127.0.0.1", port), timeout=ANSWER_SECONDS) for _ in range(number)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._sockets:
            each.close()

    def send(self, orders: Orders, number: int, total: float, answered: Callable[[], object]) -> None:
        """Send exactly `number` orders, and return when all are answered. Calls `answered` after each answer.

        Raises `NotTaken` at the first that is not answered by 200.
        """
        with selectors.DefaultSelector() as waiting:
            for connection in self._sockets[:number]:
                connection.sendall(orders.request(total))
                waiting.register(connection, selectors.EVENT_READ, connection)
            left = number - len(waiting.get_map())
            while waiting.get_map():
                ready = waiting.select(ANSWER_SECONDS)
                if not ready:
                    raise NotTaken(f"the server did not answer within {ANSWER_SECONDS} s")
                for key, _ in ready:
                    connection = key.data
                    answer_body(connection)
                    answered()
                    if left:
                        left -= 1
                        connection.sendall(orders.request(total))
                    else:
                        waiting.unregister(connection)


def answer_body(connection: socket.socket) -> bytes:
    """Return the body of an answer. Raises `NotTaken` if it is not 200."""
    try:
        with HTTPResponse(connection) as response:
            response.begin()
            body = response.read()
    except (HTTPException, OSError) as error:
        raise NotTaken(f"the server closed a connection instead of answering: {error}") from None
    if response.status != 200:
        raise NotTaken(f"the server answered {response.status}: {body.decode(errors='replace')[:500]}")
    return body
