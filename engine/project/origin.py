"""Web origins: which pages a source's `origins` name, and which entries no page can have.

An entry is the origin of a page, as browsers send it; or `https://*.shop.example` for all subdomains of a domain, of
any depth, but not for the domain itself; or `*` for any page.
"""

import re
from collections.abc import Iterable
from typing import Final

ANY: Final = "*"
OPAQUE: Final = "null"  # of pages without an address of their own, such as sandboxed frames: any page can have one

_SUBDOMAINS = "://*."
_LABELS = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([^/*?#@\s:A-Z\[\]]+|\[[0-9a-f:.]+\])(:[0-9]+)?")
_DEFAULT_PORT = re.compile(r"http://.*:80|https://.*:443")
_FORM = (
    "write scheme, host and perhaps a port, in small letters and without a path: https://shop.example; `*` for any page"
)


def allows(origins: Iterable[str], origin: str) -> bool:
    """Return whether `origins` name the origin of a page, also by `*`."""
    return ANY in origins or (origin == OPAQUE and OPAQUE in origins) or lists(origins, origin)


def lists(origins: Iterable[str], origin: str) -> bool:
    """Return whether `origins` name the origin itself, or subdomains that it is one of: not every page can have it."""
    return origin != OPAQUE and ANY not in origin and (origin in origins or _is_subdomain(origins, origin))


def remedy(entry: str) -> str | None:
    """Return how to write an entry that no page can match, or that matches more than it seems to; None for others."""
    if entry in (ANY, OPAQUE):
        return None
    if "*" in entry:
        return _remedy_of_subdomains(entry)
    if not entry.isascii():
        return "write the name as browsers send it, in ASCII: `xn--…`"
    if not _ORIGIN.fullmatch(entry):
        return _FORM
    return "drop the port: browsers send none if it is the default" if _DEFAULT_PORT.fullmatch(entry) else None


def _remedy_of_subdomains(entry: str) -> str | None:
    """Return how to write an entry with `*`: it stands for the labels in front of a domain, and for nothing else."""
    scheme, found, domain = entry.partition(_SUBDOMAINS)
    if not found or "*" in domain:
        return "`*` stands alone, for any page, or in front of a domain, for its subdomains: https://*.shop.example"
    host = domain.partition(":")[0]
    if "." not in host.strip(".") and host != "localhost":
        return "name the domain whose subdomains may send: https://*.shop.example"
    return remedy(f"{scheme}://{domain}")


def _is_subdomain(origins: Iterable[str], origin: str) -> bool:
    for entry in origins:
        scheme, found, domain = entry.partition(_SUBDOMAINS)
        start, end = f"{scheme}://", f".{domain}"
        inside = found and origin.startswith(start) and origin.endswith(end)
        if inside and _LABELS.fullmatch(origin, len(start), len(origin) - len(end)):
            return True
    return False
