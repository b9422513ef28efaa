"""The pages in which clients of pages run, on loopback: each loads a client and the script that drives it."""

from html import escape
from pathlib import Path
from typing import Self

from aiohttp import web

SCRIPTS = Path(__file__).parent / "drivers" / "pages"
SDKS = {
    "segment": "@segment/analytics-next/dist/umd/index.js",
    "rudder": "@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js",
    "posthog": "posthog-js/dist/array.full.no-external.js",
    "rakam": "rakam-js/rakam.min.js",
}
"""The file of each client that a registry has, in `node_modules`."""


class PageServer:
    """Serves the pages; `packages` is a `node_modules`."""

    def __init__(self, packages: Path) -> None:
        app = web.Application()
        app.router.add_static("/sdks/", packages)
        app.router.add_static("/scripts/", SCRIPTS)
        app.router.add_get("/favicon.ico", _nothing)
        app.router.add_get("/{name}", _page)
        self._runner = web.AppRunner(app, access_log=None)

    def address(self, name: str) -> str:
        """The address of a page."""
        _, port = self._runner.addresses[0][:2]
        return f"http://127.0.0.1:{port}/{name}"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


async def _page(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    scripts = [f"/sdks/{SDKS[name]}"] if name in SDKS else []
    tags = "".join(f'<script src="{escape(script)}"></script>' for script in [*scripts, f"/scripts/{name}.js"])
    return web.Response(text=f"<!doctype html><title>Shop</title>{tags}", content_type="text/html")


async def _nothing(_: web.Request) -> web.Response:
    return web.Response(status=204)
