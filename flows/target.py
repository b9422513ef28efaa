"""Mistakes in a target that show without a request: no look-up of it could be answered, no delivery could arrive."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from engine.ports.outbox import SELF
from engine.problem import KeyPath, Problem
from engine.project.secret import Secret
from engine.project.source import FRAMING_HEADERS, Target, TestPart
from flows.target_credentials import credential_problems
from flows.target_limits import limit_problems

NEVER_CALLED = "H427"

_UNUSABLE = re.compile(r"[\x00-\x20\x7f\\\\]")
_HOST = re.compile(r"(?:[\w-]+\.)*[\w-]+\.?|[0-9a-f:.]*:[0-9a-f:.]*")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_TEMPLATE = re.compile(r"\{\{(.*?)\}\}|(?<![\w$])\$([A-Z][A-Z0-9_]+)\b")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")


def target_problems(targets: Mapping[str, Target]) -> Iterator[Problem]:
    """Problems of each target: what makes all requests fail. Messages repeat no address, which may hold a secret."""
    for name, target in targets.items():
        if name == SELF:
            message, help = f"`{SELF}` is Headrace itself, as a target of events", "give the target another name"
            yield Problem(code="H404", message=message, path=("targets", name), on="key", help=help)
        yield from _system_problems(name, target, ("targets", name))
        if target.test is not None:
            yield from _system_problems(name, target.test, ("targets", name, "test"))
        yield from limit_problems(target, ("targets", name))
        yield from credential_problems(name, target, ("targets", name))


def _system_problems(name: str, system: Target | TestPart, at: KeyPath) -> Iterator[Problem]:
    """Problems of the address and the headers of a target, or of its test part."""
    message, help = _unusable(system.url)
    if "{{" in system.url:
        help = "what depends on the event belongs in the node's `path` and `query`"
        yield Problem(code="H404", message="no templates here: the address is fixed", path=(*at, "url"), help=help)
    elif message:
        message = f"`{name}` can never be called: {message}"
        yield Problem(code=NEVER_CALLED, message=message, path=(*at, "url"), help=help)
    elif not system.private and _is_private(system.url):
        message = f"requests to `{name}` are refused: the address is a private one, or of this machine"
        help = f"if it is meant, add `private: true` to {'its test part' if at[-1] == 'test' else 'the target'}"
        yield Problem(code="H416", message=message, path=(*at, "url"), help=help, severity="warning")
    yield from _header_problems(name, system.headers, (*at, "headers"))
    yield from _header_templates(system.headers, (*at, "headers"))


def _unusable(url: str) -> tuple[str, str]:
    """Why no request can be sent to an address, and the remedy; two empty texts when one can."""
    if _UNUSABLE.search(url):
        return "its url has a space, a backslash or a control character", "write a space of the path as `%20`"
    if url.count("://") > 1:
        return "its url has `://` twice", "write one address"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return (
            "its url has no valid host and port",
            "write `https://host` or `https://host:8443`, a port from 1 to 65535",
        )
    if port == 0:
        return "nothing can listen on port 0", "write the port of the server, or leave it out"
    return _unusable_parts(parts)


def _unusable_parts(parts: SplitResult) -> tuple[str, str]:
    mail = parts.scheme.startswith("smtp")
    if not parts.hostname:
        return "its url has no host", f"write `{parts.scheme}://` and the name of a host"
    if "@" in parts.netloc and mail:
        return "its url has a user name, which is not sent", "write `user:` and `password:` of the target"
    if mail and (parts.path.strip("/") or parts.query):
        return "its url has a path, and a mail server has none", "write the host and the port: `smtp://host:587`"
    if "@" in parts.netloc:
        help = 'write `headers: {Authorization: "${env:NAME}"}`; for a user and a password, `Basic` and their Base64'
        return "its url has a user name, which is not sent", help
    if not _HOST.fullmatch(parts.hostname):
        return "its host has a character that no host has", "a target is one host: write its name without `*` or braces"
    if parts.fragment:
        return "its url has a fragment (`#`), which is never sent", "delete `#` and what follows"
    return "", ""


def _header_problems(name: str, headers: Mapping[str, str], at: KeyPath) -> Iterator[Problem]:
    for header, value in headers.items():
        lower = header.lower()
        message = help = ""
        if not _TOKEN.fullmatch(header):
            message, help = "no header can have this name", "letters, digits and `-`"
        elif lower in FRAMING_HEADERS or lower.startswith("proxy-"):
            message, help = f"`{header}` is set by the connection", "delete it"
        elif not _HEADER_VALUE.fullmatch(value):
            message, help = f"`{header}` has a character that headers cannot carry", "ASCII letters, digits and signs"
        if message:
            message = f"`{name}` can never be called: {message}"
            yield Problem(code=NEVER_CALLED, message=message, path=(*at, header), on="key", help=help)


def _header_templates(headers: Mapping[str, str], at: KeyPath) -> Iterator[Problem]:
    """A problem for each header that a template or a variable of a shell was probably meant to fill."""
    for header, value in headers.items():
        template = _TEMPLATE.search(value)
        if template is not None and not isinstance(value, Secret):
            variable = re.search(r"[A-Z][A-Z0-9_]+", template[1] or template[2] or "")
            message = f"no templates here: `{header}` is sent as it is written"
            help = f"for a secret write `${{env:{variable[0] if variable else 'NAME'}}}`"
            help += "; what depends on the event belongs in `headers` of the node"
            yield Problem(code="H404", message=message, path=(*at, header), help=help)


def _is_private(url: str) -> bool:
    """Whether the host is a private or loopback address as it is written. Other names are resolved at each request."""
    host = (urlsplit(url).hostname or "").removesuffix(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:
        return False
