"""Mail addresses as they stand in the headers of a mail: `ada@shop.example`, or `Ada <ada@shop.example>`."""

import re
from typing import Final

MAX_ADDRESS: Final = 254  # characters (RFC 5321)
MAX_NAME: Final = 200

_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")
_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def address_defect(text: str) -> str:
    """Why a text cannot be the address of one recipient or sender, in words that do not repeat it; empty if it can."""
    if not text.strip():
        return "is empty"
    if not text.isprintable():
        return "has a line break or another character that is not printable"
    name, address = split_address(text)
    if len(name) > MAX_NAME or len(address) > MAX_ADDRESS:
        return f"is longer than {MAX_ADDRESS} characters"
    local, at, domain = address.rpartition("@")
    if not at:
        return "is no mail address: it has no `@`"
    if not _LOCAL.fullmatch(local) or len(local) > 64:
        return "is no mail address: the part in front of `@` has characters that are not supported, or is too long"
    if not _is_domain(domain):
        return "is no mail address: the part behind `@` is no host"
    return ""


def split_address(text: str) -> tuple[str, str]:
    """Return the name (may be empty, without quotes) and the address of a text such as `Ada <ada@shop.example>`."""
    named = _NAMED.fullmatch(text.strip())
    if named is None:
        return "", text.strip()
    name = named["name"].strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1].replace('\\"', '"')
    return name, named["address"].strip()


def ascii_address(text: str) -> str:
    """Return a valid address as mail servers take it: without outer spaces, its host in ASCII."""
    host = split_address(text)[1].rpartition("@")[2]
    return text.strip() if host.isascii() else text.strip().replace(f"@{host}", f"@{host.encode('idna').decode()}")


def _is_domain(domain: str) -> bool:
    try:
        labels = domain.encode("idna").decode().split(".")
    except UnicodeError:
        return False
    return all(_LABEL.fullmatch(label) for label in labels)
