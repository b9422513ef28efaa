"""Where a store is: its servers, and the prefix that all names of its indices begin with."""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

PREFIX = "headrace"
_PREFIX = re.compile(r"[a-z][a-z0-9_-]{0,99}")


class UnusableAddress(ValueError):
    """An address that names no servers; the message has an example."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"`elasticsearch:{address}`: {why}; write `elasticsearch:http://host:9200[?prefix={PREFIX}]`")


class Address(Struct, frozen=True):
    """Servers of one cluster, each `http(s)://host:port`, and the user who asks them."""

    servers: tuple[str, ...]
    prefix: str = PREFIX
    user: tuple[str, str] | None = None


def address_of(text: str) -> Address:
    """The address in `http://host:9200[?prefix=headrace]` ; several servers are separated by commas."""
    whole, _, query = text.partition("?")
    first, *more = [each.strip() for each in whole.split(",")]
    parts = urlsplit(first)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UnusableAddress(text, "it names no server")
    others = [urlsplit(each if "://" in each else f"{parts.scheme}://{each}") for each in more]
    options = dict(parse_qsl(query, keep_blank_values=True))
    prefix = options.pop("prefix", PREFIX)
    if not _PREFIX.fullmatch(prefix):
        raise UnusableAddress(text, "a prefix is made of lower-case letters, digits, `_` and `-`")
    if options:
        raise UnusableAddress(text, f"`{next(iter(options))}` is no option of a store")
    try:
        servers = tuple(f"{each.scheme}://{_host(each.hostname)}:{each.port or 9200}" for each in (parts, *others))
    except ValueError as error:
        raise UnusableAddress(text, str(error)) from error
    user = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return Address(servers, prefix, user)


def _host(name: str | None) -> str:
    if not name:
        raise ValueError("one of its servers has no name")
    return f"[{name}]" if ":" in name else name
