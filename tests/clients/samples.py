"""Calls of clients for the tests: data of all kinds, and series of events with numbers."""

from datetime import UTC, datetime
from typing import Any

from tests.clients.client import Client

Call = dict[str, Any]
"""A call of a client, as its driver reads it."""

VIEW = {"name": "Straßenschuh 🥾", "colours": ["red", "blue"], "size": {"eu": 42, "uk": 8}}
ORDER = {"total": 49.5, "currency": "EUR", "gift": False, "items": [{"sku": "shoe-42", "quantity": 2}]}
ANN = {"name": "Ann", "age": 33, "email": "ann@example.com"}
TEAM = {"plan": "gold", "seats": 5}
TIME = 1_700_000_000_000  # ms since the epoch
NUMBERS = 60
PAGE_NUMBERS = 24  # a page may send each event in a request of its own
USERS = 4


def numbered(client: Client, run: str) -> list[Call]:
    """Calls for events `counted` with the property `n`, from 0 on: of several users, or of the person at a page."""
    return SERIES[client.protocol](client, run)


def _segment(client: Client, run: str) -> list[Call]:
    numbers = range(PAGE_NUMBERS if client.page else NUMBERS)
    calls: list[Call] = [{"method": "track", "event": "counted", "properties": {"n": n}} for n in numbers]
    if client.page:
        return calls
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    return [
        {**call, "userId": f"{run}-{n % USERS}", "messageId": f"{run}-{n}", "timestamp": time}
        for n, call in enumerate(calls)
    ]


def _posthog(client: Client, run: str) -> list[Call]:
    if client.page:
        options = {"send_instantly": True}
        return [{"method": "capture", "with": ["counted", {"n": n}, options]} for n in range(PAGE_NUMBERS)]
    return [
        {"method": "capture", "event": "counted", "distinct_id": f"{run}-{n % USERS}", "properties": {"n": n}}
        for n in range(NUMBERS)
    ]


def _rakam(client: Client, run: str) -> list[Call]:
    users = [{} if client.page else {"_user": f"{run}-{number}", "_time": TIME} for number in range(USERS)]
    return [{"collection": "counted", "properties": {**users[n % USERS], "n": n}} for n in range(NUMBERS)]


def _traintracks(_: Client, run: str) -> list[Call]:
    return [traintracks_event(run, str(n % USERS), "counted", n=n) for n in range(NUMBERS)]


def traintracks_event(run: str, user: str, type: str, **data: Any) -> Call:
    """An event of a user, with every field that Traintracks' SDK fills in."""
    return {
        "build": "1.1.1",
        "clientTimestamp": "2026-03-14T02:33:42.416587-07:00",
        "data": data,
        "device": "iPhone 5S",
        "eventType": type,
        "location": {"lat": 37.87, "lon": -122.25},
        "sessionId": f"{run}-{user}-session",
        "userId": f"{run}-{user}",
        "userName": "JaneDoe",
    }


SERIES = {"segment": _segment, "posthog": _posthog, "rakam": _rakam, "traintracks": _traintracks}
