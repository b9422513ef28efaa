"""The systems around the starter's web shop: a simulated CRM and catalogue to read from, a warehouse, a mail server.

The CRM and the catalogue fail on purpose, always for the same names: with 503 at the first request for a name in
`FAILING_ONCE`, and at every request for one in `FAILING`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from msgspec import Struct

from cli.demo.mail_server import MailServer, mail_server
from cli.demo.warehouse import Warehouse

PORT = 18780  # the one that the starter's headrace.yaml names

TIERS = {"ann@example.com": "gold", "bo@example.com": "silver"}
COUPONS: dict[str, dict[str, Any]] = {
    "SPRING-10": {"email": "bo@example.com", "value": 10},
    "SPRING-11": {"email": "fay@example.com", "value": 5},
    "SPRING-12": {"email": "ann@example.com", "value": 12},
}
PRODUCTS: dict[str, dict[str, Any]] = {
    "MS-1": {"name": "Millstone, 80 cm", "category": "stones", "price": 180},
    "WH-2": {"name": "Water wheel, model", "category": "wheels", "price": 60},
    "TI-7": {"name": "Tide mill, kit", "category": "kits", "price": 320},
}
PRICES: list[dict[str, Any]] = [  # changes of prices, oldest first
    {"sku": "MS-1", "price": 175, "at": "2026-01-05"},
    {"sku": "WH-2", "price": 64, "at": "2026-02-03"},
    {"sku": "TI-7", "price": 299, "at": "2026-02-14"},
]
FAILING_ONCE = frozenset({"ann@example.com", "TI-7"})
FAILING = frozenset({"cem@example.com", "GO-4", "AUTUMN-1"})


class Systems(Struct, frozen=True):
    """The addresses of the systems, and those that keep what they are sent."""

    address: str  # of the CRM, the catalogue and the warehouse
    mail_address: str
    warehouse: Warehouse
    mailbox: MailServer
    arrived: asyncio.Event  # set by each webhook and mail


@asynccontextmanager
async def shop_systems(secret: str, port: int = 0, mail_port: int = 0) -> AsyncIterator[Systems]:
    """Run the systems on loopback, by default on free ports. `secret` is the key of the warehouse's webhooks."""
    arrived = asyncio.Event()
    warehouse = Warehouse(secret, arrived)
    runner = web.AppRunner(_application(warehouse), access_log=None)
    await runner.setup()
    try:
        async with mail_server(arrived, mail_port) as (mailbox, mail_address):
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            address = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield Systems(address, mail_address, warehouse, mailbox, arrived)
    finally:
        await runner.cleanup()


def _application(warehouse: Warehouse) -> web.Application:
    failed: set[str] = set()

    def answer(name: str, entries: dict[str, Any]) -> web.Response:
        if name in FAILING or (name in FAILING_ONCE and name not in failed):
            failed.add(name)
            return web.json_response({"error": "out of order"}, status=503)
        entry = entries.get(name)
        return web.json_response(entry) if entry is not None else web.json_response({}, status=404)

    async def customer(request: web.Request) -> web.Response:
        query = await request.json()
        return answer(str(query.get("email")), {email: {"tier": tier} for email, tier in TIERS.items()})

    async def coupon(request: web.Request) -> web.Response:
        return answer(request.match_info["code"], COUPONS)

    async def product(request: web.Request) -> web.Response:
        return answer(request.match_info["sku"], PRODUCTS)

    async def prices(request: web.Request) -> web.Response:
        rows = [row for row in PRICES if row["at"] > request.query.get("since", "")]
        return web.json_response({"rows": rows, "until": PRICES[-1]["at"]})

    app = web.Application()
    app.router.add_post("/crm/customers/search", customer)
    app.router.add_get("/crm/coupons/{code}", coupon)
    app.router.add_post("/warehouse/hooks", warehouse.take)
    app.router.add_get("/catalogue/prices", prices)
    app.router.add_get("/catalogue/products/{sku}", product)
    return app
