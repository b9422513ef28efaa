"""The systems that the starter's web shop asks, a CRM and a catalogue, small and pretended.

They fail now and then, always at the same places: what is in `SLEEPY` is answered by 503 the first time, what is in
`DOWN` always.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

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
SLEEPY = frozenset({"ann@example.com", "TI-7"})
DOWN = frozenset({"cem@example.com", "GO-4", "AUTUMN-1"})


@asynccontextmanager
async def shop_systems(port: int = 0) -> AsyncIterator[str]:
    """Run them on loopback, by default on a free port; gives the address."""
    runner = web.AppRunner(_application(), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _application() -> web.Application:
    woken: set[str] = set()

    def answer(asked: str, known: dict[str, Any]) -> web.Response:
        if asked in DOWN or (asked in SLEEPY and asked not in woken):
            woken.add(asked)
            return web.json_response({"error": "out of order"}, status=503)
        found = known.get(asked)
        return web.json_response(found) if found is not None else web.json_response({}, status=404)

    async def customer(request: web.Request) -> web.Response:
        asked = await request.json()
        return answer(str(asked.get("email")), {email: {"tier": tier} for email, tier in TIERS.items()})

    async def coupon(request: web.Request) -> web.Response:
        return answer(request.match_info["code"], COUPONS)

    async def product(request: web.Request) -> web.Response:
        return answer(request.match_info["sku"], PRODUCTS)

    app = web.Application()
    app.router.add_post("/crm/customers/search", customer)
    app.router.add_get("/crm/coupons/{code}", coupon)
    app.router.add_get("/catalogue/products/{sku}", product)
    return app
