"""The member `api` of Rakam's requests: the key, the clock and the library of the client, and a checksum."""

import hashlib
import hmac
from typing import Any, Final

import msgspec
from msgspec import Struct

from engine.tracking.foreign.translation import ForeignRequest
from engine.tracking.intake.event_time import read_event_time
from engine.tracking.intake.ids import MAX_ID
from engine.tracking.intake.payload import Refusal

# Where a request may name its key beside the body, and beside `Authorization`.
KEY_HEADERS: Final = (b"write_key", b"master_key", b"api_key")
KEY_FIELDS: Final = ("api.api_key", "write_key", "master_key", "api_key")  # of a query

LONGEST_AGENT: Final = 1000  # characters of a `User-Agent`: the context of each event may have it
MAX_MEMBERS: Final = 10  # of a library's description

_object = msgspec.json.Decoder(dict[str, Any])


class Api(Struct, frozen=True, kw_only=True):
    """The sender of a request, as it describes itself.

    `upload_time` is the client's clock, in a form that `read_event_time` reads. `address` and `user_agent` are those of
    the request; they are empty where they are not known.
    """

    key: str | None = None
    version: str = ""
    upload_time: Any = None
    uploaded: str = ""  # the upload time as text, for the checksum
    checksum: str | None = None
    library: dict[str, Any] | None = None
    address: str = ""
    user_agent: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that the body names."""
        return () if self.key is None else (self.key,)


def read_api(text: bytes | None, request: ForeignRequest) -> Api:
    """Return the member `api`, whose text is None if it is absent.

    Raises `Refusal` if it is no object, or names no key, and the request names none elsewhere.
    """
    api: dict[str, Any] = {}
    if text is None:
        if not names_key(request):
            raise Refusal("malformed", "api parameter is required", "/api")
    else:
        try:
            api = _object.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Refusal("malformed", "api must be an object", "/api") from None
    return api_of(api, request)


def api_of(api: dict[str, Any], request: ForeignRequest) -> Api:
    """Return what the members of `api` say. Raises `Refusal` if neither they nor the request name a key."""
    key = api.get("api_key")
    if not (isinstance(key, str) and key) and not names_key(request):
        raise Refusal("malformed", "api.api_key is required", "/api/api_key")
    upload_time, checksum, library = api.get("upload_time"), api.get("checksum"), api.get("library")
    return Api(
        key=key if isinstance(key, str) and key else None,
        version=_shown(api.get("api_version")),
        upload_time=upload_time if read_event_time(upload_time) is not None else None,
        uploaded=_shown(upload_time),
        checksum=checksum if isinstance(checksum, str) else None,
        library=_library(library),
        address=request.address,
        user_agent=request.headers.get(b"user-agent", b"").decode("latin-1")[:LONGEST_AGENT],
    )


def names_key(request: ForeignRequest) -> bool:
    """Return whether a request names a key in a header or in its query."""
    headers = (*KEY_HEADERS, b"authorization")
    return any(request.headers.get(name) for name in headers) or any(map(request.query.get, KEY_FIELDS))


def check_checksum(api: Api, events: bytes) -> None:
    """Raise `Refusal` if a request has a checksum that does not fit; `events` is the text of its list."""
    if api.checksum is None:
        return
    signed = f"{api.key or ''}{api.version}{api.uploaded}".encode() + events
    expected = hashlib.md5(signed, usedforsecurity=False).hexdigest()  # the clients' algorithm
    if not hmac.compare_digest(expected.encode(), api.checksum.lower().encode()):
        raise Refusal("malformed", "Checksum is invalid", "/api/checksum")


def _library(given: Any) -> dict[str, Any] | None:
    """Return what a library says of itself in short texts, such as its name and version; None if it says nothing.

    The context of each event has it, so anything else would be kept as often as there are events.
    """
    if not isinstance(given, dict):
        return None
    texts = [(name, text) for name, text in given.items() if isinstance(text, str) and len(name) + len(text) <= MAX_ID]
    return dict(texts[:MAX_MEMBERS]) or None


def _shown(value: object) -> str:
    """Return a text or a number as the clients write it into the checksum; anything else is left out of it."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return "" if isinstance(value, int) and value.bit_length() > 4000 else str(value)  # `str` refuses very long ones
