"""Mail addresses as they stand in the headers of a mail: `ada@shop.example`, or `Ada <ada@shop.example>`."""

import re
from typing import Final

MAX_ADDRESS: Final = 254  # characters (RFC 5321)
MAX_NAME: Final = 200

_ENCODED = re.compile(r"=\?.*\?=")  # headers that have such words are decoded, and may then hold any character
_SPECIAL = re.compile(r'[()<>@,:;.\\"\[\]]')  # a name with one of these stands in quotes (RFC 5322)
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
    if has_encoded_word(name):
        return "has an encoded word (`=?…?=`) in its name"
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
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return name, named["address"].strip()


def has_encoded_word(text: str) -> bool:
    """Return whether a mail program would decode a part of a header's text (RFC 2047), such as to a line break."""
    return _ENCODED.search(text) is not None


def ascii_address(text: str) -> str:
    """Return a valid address as it stands in a header: one mailbox whatever its name is, and its host in ASCII."""
    name, address = split_address(text)
    local, at, host = address.rpartition("@")
    ascii = f"{local}{at}{host}" if host.isascii() else f"{local}@{host.encode('idna').decode()}"
    if not name:
        return ascii
    quoted = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"' if _SPECIAL.search(name) else name
    return f"{quoted} <{ascii}>"


def _is_domain(domain: str) -> bool:
    try:
        labels = domain.encode("idna").decode().split(".")
    except UnicodeError:
        return False
    return all(_LABEL.fullmatch(label) for label in labels)
