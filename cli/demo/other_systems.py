"""The part of the demo about other systems: the webhooks and mails that they must get, and a nightly fetch."""

import asyncio
from collections.abc import Iterator
from typing import Any

import aiohttp
from rich.console import Console
from rich.text import Text

from cli.demo.server import ServerFailed
from cli.demo.services import PRICES, Systems
from cli.demo.warehouse import Received

SECONDS = 15  # within which all must have arrived

ORDERS = {"o-1", "o-2", "o-3", "o-5", "o-6", "o-7", "o-8"}  # of the sample, with a total above 0
MAILS = {
    ("ann@example.com", "Welcome to our letter"),
    ("bo@example.com", "Welcome to our letter"),
    ("bo@example.com", "Still in your cart"),
}
WAIT = ("timeout: 2h", "timeout: 2s")  # of abandoned-cart.yaml, in the starter and in the demo's copy
NIGHTLY = "nightly-prices"


async def show_sent(systems: Systems, console: Console) -> list[str]:
    """Wait until the warehouse and the mail server have got all, and print it. Returns what is wrong, in words."""
    try:
        async with asyncio.timeout(SECONDS):
            while not (_orders(systems) >= ORDERS and _mails(systems) >= MAILS):
                systems.arrived.clear()
                await systems.arrived.wait()
    except TimeoutError:
        pass  # the differences say what is missing
    console.rule("What other systems were sent")
    orders = ", ".join(f"{webhook.data['order']} ({webhook.data['total']})" for webhook in _sorted(systems))
    console.print(Text.assemble(("webhooks order.paid, their signatures verified: ", "bold"), orders))
    console.print(f"abandoned-cart waits for {WAIT[0].split()[1]}; in the demo's copy {WAIT[1].split()[1]}.")
    for to, subject in sorted(_mails(systems)):
        console.print(Text.assemble(("mail: ", "bold"), f"to {to}: {subject}"))
    return list(_wrong(systems))


async def show_nightly(client: aiohttp.ClientSession, console: Console) -> list[str]:
    """Fire the scheduled flow twice, and print the prices that it announces. Returns what is wrong, in words."""
    console.rule("What happens at night, without a visitor")
    console.print(f"{NIGHTLY} is due at three in the night. The demo does not wait: it fires it, twice, as the command")
    console.print(f"`headrace task run {NIGHTLY}` does. The second time its cursor is where the first one left it.")
    await _fire(client)
    await _fire(client)
    events = await _price_events(client)
    prices = [f"{event['properties']['sku']} {event['properties']['price']}" for event in events]
    console.print(Text.assemble(("events price-changed: ", "bold"), ", ".join(sorted(prices))))
    expected = sorted(f"{row['sku']} {row['price']}" for row in PRICES)
    return [] if sorted(prices) == expected else [f"the prices are {sorted(prices)}, and they must be {expected}"]


async def _fire(client: aiohttp.ClientSession) -> None:
    """Fire the scheduled flow, and wait for its end. Raises `ServerFailed`."""
    async with client.post(f"/tasks/{NIGHTLY}/run", json={}) as response:
        answer = await response.json()
    if (answer.get("firing") or {}).get("outcome") != "finished":
        raise ServerFailed(f"the scheduled flow {NIGHTLY} did not finish: {answer}")


async def _price_events(client: aiohttp.ClientSession) -> list[dict[str, Any]]:
    """Return the stored events of changed prices, once there are as many as must be."""
    events: list[dict[str, Any]] = []
    for _ in range(SECONDS * 10):
        async with client.get("/search/events", params={"q": "type:price-changed"}) as response:
            events = (await response.json())["items"]
        if len(events) >= len(PRICES):
            break
        await asyncio.sleep(0.1)
    return events


def _sorted(systems: Systems) -> list[Received]:
    return sorted(systems.warehouse.received.values(), key=lambda webhook: str(webhook.data["order"]))


def _orders(systems: Systems) -> set[str]:
    return {str(webhook.data["order"]) for webhook in systems.warehouse.received.values()}


def _mails(systems: Systems) -> set[tuple[str, str]]:
    return {(str(mail["To"]), str(mail["Subject"])) for mail in systems.mailbox.mails}


def _wrong(systems: Systems) -> Iterator[str]:
    if (orders := _orders(systems)) != ORDERS:
        yield f"the warehouse has been sent the orders {sorted(orders)}, and they must be {sorted(ORDERS)}"
    if len(systems.warehouse.received) != len(ORDERS):
        yield f"the warehouse has been sent {len(systems.warehouse.received)} webhooks, and they must be {len(ORDERS)}"
    if systems.warehouse.refused:
        yield f"{systems.warehouse.refused} webhooks had a wrong signature"
    if (mails := _mails(systems)) != MAILS:
        yield f"the mails are {sorted(mails)}, and they must be {sorted(MAILS)}"
