"""`/tracker.js`: the script by which pages send events, built from the folder `tracker` into `api/static`.

`/tracker.HASH.js` is the same under an address that never means other bytes, for pages that check its integrity. Files
of earlier releases stay in `api/static` as `headrace.HASH.js` and are served as well: a page may name one for years.
"""

import base64
import gzip
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any, Final, Self

from litestar import HttpMethod, Request, Response, route
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct

from api.access.option import access
from api.description.operation import Answer, Content, Header, described

BUILT: Final = "headrace.js"
_HEADERS: Final = {"ETag": Header("Of these bytes"), "Cache-Control": Header("An hour")}
_SCRIPT: Final = Answer("The script", {"text/javascript": Content(str)}, _HEADERS)
_HOUR: Final = "public, max-age=3600"
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class Script(Struct, frozen=True):
    """A built tracker: its bytes, the same by gzip, and the SHA-384 of the bytes."""

    body: bytes
    zipped: bytes
    digest: bytes

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Return the script of these bytes."""
        return cls(body, gzip.compress(body, 9, mtime=0), hashlib.sha384(body).digest())

    @property
    def hash(self) -> str:
        """The hash in its address: 16 hexadecimal digits."""
        return self.digest.hex()[:16]

    @property
    def path(self) -> str:
        """The address that never means another script."""
        return f"/tracker.{self.hash}.js"

    @property
    def integrity(self) -> str:
        """The value of the attribute `integrity` of a script element."""
        return f"sha384-{base64.b64encode(self.digest).decode()}"


@cache
def current_script() -> Script:
    """Return the tracker of this version of Headrace."""
    return Script.of((files("api") / "static" / BUILT).read_bytes())


def tracker_handlers() -> list[HTTPRouteHandler]:
    """Return the handlers of `/tracker.js`, and of every script under the address with its hash."""
    static = [file for file in (files("api") / "static").iterdir() if file.name.endswith(".js")]
    scripts = {script.path: script for script in (Script.of(file.read_bytes()) for file in static)}
    return [
        _handler("/tracker.js", current_script(), _HOUR, documented=True),
        *(_handler(path, script, _FOR_EVER, documented=False) for path, script in scripts.items()),
    ]


def _handler(path: str, script: Script, caching: str, *, documented: bool) -> HTTPRouteHandler:
    @route(
        path,
        http_method=[HttpMethod.GET, HttpMethod.HEAD],
        summary="The tracker for pages",
        sync_to_thread=False,
        include_in_schema=documented,
        opt=access("public")
        | described("readTracker", {200: _SCRIPT, 304: Answer("The page has it", headers=_HEADERS)}),
    )
    def tracker(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Answers the script, which any page may load and check."""
        zipped = _takes_gzip(request.headers.get("Accept-Encoding", ""))
        tag = f'"{script.hash}{"-gzip" if zipped else ""}"'
        headers = {
            "ETag": tag,
            "Cache-Control": caching,
            "Vary": "Accept-Encoding",
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
            **({"Content-Encoding": "gzip"} if zipped else {}),
        }
        known = [each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")]
        if tag in known or "*" in known:
            return Response(b"", status_code=304, headers=headers, media_type="text/javascript")
        body = script.zipped if zipped else script.body
        return Response(body, headers=headers, media_type="text/javascript")

    return tracker


def _takes_gzip(accepted: str) -> bool:
    """Whether a client takes gzip, by its `Accept-Encoding`."""
    for each in accepted.lower().split(","):
        name, _, weight = each.partition(";")
        if name.strip() in {"gzip", "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
