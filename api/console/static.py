"""The console's stylesheet, scripts and fonts, below `/console/static`, each under the hash of its bytes."""

import hashlib
import mimetypes
from functools import cache
from importlib.resources import files
from typing import Any, Final

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from msgspec import Struct

from api.access.option import access

FOR_EVER: Final = "public, max-age=31536000, immutable"
ROOT: Final = "/console/static"
_FONTS: Final = ("fonts/next.woff2", "fonts/mono.woff2")
_NAMES: Final = ("console.css", "console.js", "htmx.min.js", *_FONTS)


class StaticFile(Struct, frozen=True):
    """A file, with the media type and the hash of its bytes."""

    body: bytes
    media_type: str
    hash: str


@cache
def static_files() -> dict[str, StaticFile]:
    """Return the files by their names. The stylesheet names the fonts by their addresses."""
    folder = files("api") / "static" / "console"
    found: dict[str, StaticFile] = {}
    for name in sorted(_NAMES, key=lambda each: each == "console.css"):
        body = folder.joinpath(*name.split("/")).read_bytes()
        if name == "console.css":
            for font in _FONTS:
                body = body.replace(f"url({font})".encode(), f"url({_address(font, found[font])})".encode())
        media_type = "font/woff2" if name.endswith(".woff2") else mimetypes.guess_type(name)[0] or "text/plain"
        found[name] = StaticFile(body, media_type, hashlib.sha256(body).hexdigest()[:12])
    return found


def address_of(name: str) -> str:
    """Return the address of a file, which never means other bytes."""
    return _address(name, static_files()[name])


def _address(name: str, file: StaticFile) -> str:
    return f"{ROOT}/{file.hash}/{name}"


@get(f"{ROOT}/{{path:path}}", include_in_schema=False, sync_to_thread=False, opt=access("public"))
def static_file(request: Request[Any, Any, Any], path: FromPath[str]) -> Response[bytes]:
    """Answers a file of the console. Under the hash of other bytes there is none."""
    hash, _, name = str(path).lstrip("/").partition("/")
    found = static_files().get(name)
    if found is None or found.hash != hash:
        raise NotFoundException("the console has no such file: load its page again")
    return Response(found.body, media_type=found.media_type, headers={"Cache-Control": FOR_EVER})


def static_handlers() -> list[HTTPRouteHandler]:
    """Return the handler of the console's files."""
    return [static_file]
