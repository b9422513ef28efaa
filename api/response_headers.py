"""Response headers that tell a browser how little it may do with an answer."""

import base64
import hashlib

from litestar.types import Message, Scope

from api.description.page import STYLE
from api.request_id import HEADER, id_header

NO_SNIFF = (b"x-content-type-options", b"nosniff")
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# A page may use the one style sheet of ours that it contains: no script, no request, no frame.
PAGE_POLICY = (
    b"content-security-policy",
    (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ).encode(),
)


async def restrict_browsers(message: Message, scope: Scope) -> None:
    """Add the headers to the start of a response: no other media type than it says and, in HTML, nothing but text.

    Also the id of the request.
    """
    if message["type"] != "http.response.start":
        return
    headers = list(message["headers"])
    if NO_SNIFF not in headers:
        headers.append(NO_SNIFF)
    names = {name.lower() for name, _ in headers}
    if HEADER not in names:
        headers.append(id_header(scope))
    is_page = any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in headers)
    if is_page and PAGE_POLICY[0] not in names:  # the console's pages have a policy of their own
        headers.append(PAGE_POLICY)
    message["headers"] = headers
