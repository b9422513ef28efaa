"""The part of the demo about other systems: the webhooks and mails that they must get, and a nightly fetch."""

import asyncio
from collections.abc import Iterator

import aiohttp
from rich.console import Console
from rich.text import Text

from cli.demo.server import ServerFailed
from cli.demo.services import Systems
from cli.demo.warehouse import Received

SECONDS = 15  # within which all must have arrived

ORDERS = {"o-1", "o-2", "o-3", "o-5", "o-6", "o-7", "o-8"}  # of the sample, with a total above 0
MAILS = {
    ("ann@example.com", "Welcome to our letter"),
    ("bo@example.com", "Welcome to our letter"),
}


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
    for to, subject in sorted(_mails(systems)):
        console.print(Text.assemble(("mail: ", "bold"), f"to {to}: {subject}"))
    return list(_wrong(systems))


async def run_task(client: aiohttp.ClientSession, name: str, console: Console) -> None:
    """Fire a scheduled flow now, as its due time would. Raises `ServerFailed`."""
    async with client.post(f"/tasks/{name}/run") as response:
        answer = await response.json()
    firing = answer.get("firing") or {}
    if firing.get("outcome") != "finished":
        raise ServerFailed(f"the scheduled flow {name} did not finish: {answer}")
    console.print(f"{name} is due at night; the demo does not wait: `headrace task run {name}` fires it now.")


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
