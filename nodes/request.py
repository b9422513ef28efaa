"""The parts of an HTTP request that flows write, for nodes that send one: paths and headers that are safe to send."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote

HEADER: Final = r"^[A-Za-z0-9][A-Za-z0-9-]*$"  # the form of a header's name

_NOT_IN_PATH = re.compile(r"[\\?#]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LITERAL = "/%!$&'()*+,;=:@~"  # not percent-encoded in a path (RFC 3986); % since the path may have escapes
_TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_RESERVED = frozenset({"host", "content-length", "transfer-encoding", "connection"})  # the performer sets them


def literal_path_defect(path: str) -> tuple[str, str]:
    """Why a path as it is written can never be sent, and the remedy; two empty texts when it can.

    Values of templates are percent-encoded, so a letter stands for each of them.
    """
    literal = _TEMPLATE.sub("x", path)
    if "://" in literal:
        return (
            "is an address: the host is that of the target",
            "write only the part behind the target's url, from its `/`",
        )
    if not literal.startswith("/"):
        return "does not begin with `/`", f"write `/{path}`"
    if "?" in literal:
        return (
            "has a `?`: parameters have a field of their own",
            "write them below `query:`, e.g. `query: {name: value}`",
        )
    if "#" in literal:
        return "has a `#`, which is never sent", "delete it with what follows; write `%23` for the character itself"
    if "//" in literal:
        return "has an empty part (`//`)", "write one `/`"
    if path_defect(literal):
        return "leads out of the target's url by a part `.` or `..`, or has a backslash", "write the path without it"
    return "", ""


def path_defect(path: str) -> str:
    """Return the reason why a path is not safe to send; empty when it is."""
    if not path.startswith("/") or path.startswith("//"):
        return f"the path `{path}` does not begin with one `/`"
    decoded = unquote(path)  # as a server might decode it before it splits the path
    if _NOT_IN_PATH.search(path) or _CONTROL.search(decoded):
        return f"the path `{path}` has a character that a path cannot have (parameters go into `query`)"
    if not {".", ".."}.isdisjoint(re.split(r"[/\\]", decoded)):
        return f"the path `{path}` has a part `.` or `..`"
    return ""


def encoded_path(path: str) -> str:
    """Return a safe path with its literal text percent-encoded; escapes in it stay as they are."""
    return quote(path, safe=_LITERAL)


def header_defect(headers: Mapping[str, str], reserved: frozenset[str] = frozenset()) -> str:
    """Return the reason why headers cannot be sent; empty when they can. `reserved` are names in small letters."""
    for name, value in headers.items():
        if name.lower() in _RESERVED or name.lower() in reserved:
            return f"the header `{name}` cannot be set"
        if not value.isprintable():
            return f"the header `{name}` has a character that is not printable"
    return ""
