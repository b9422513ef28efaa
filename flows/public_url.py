"""`public_url` of `headrace.yaml`: the address at which other systems reach this server."""

from urllib.parse import urlsplit

from engine.problem import Problem

_HELP = "write the address that other systems call, without a query: `public_url: https://events.shop.example`"


def read_public_url(text: str, problems: list[Problem]) -> str:
    """Return the address without a slash at its end; empty for a wrong one, which is added to `problems`."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not text:
        return ""
    if not usable or parts.query or parts.fragment or any(not "!" <= character <= "~" for character in text):
        problems.append(
            Problem(code="H404", message=f"`{text}` is not the address of a server", path=("public_url",), help=_HELP)
        )
        return ""
    return text.rstrip("/")
