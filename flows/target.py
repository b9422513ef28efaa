"""Mistakes in the address of a target that show without a request."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from engine.problem import Problem
from engine.project.source import Target


def target_problems(targets: Mapping[str, Target]) -> Iterator[Problem]:
    """A problem for each address with a template, and for each private one of a target without `private: true`."""
    for name, target in targets.items():
        at = ("targets", name, "url")
        if "{{" in target.url:
            help = "what depends on the event belongs in the node's `path` and `query`"
            yield Problem(code="H404", message="no templates here: the address is fixed", path=at, help=help)
        elif not target.private and _is_private(target.url):
            message = f"look-ups of `{name}` are refused: the address is a private one, or of this machine"
            help = "if it is meant, add `private: true` to the target"
            yield Problem(code="H416", message=message, path=at, help=help, severity="warning")


def _is_private(url: str) -> bool:
    """Whether the host is a private or loopback address as it is written. Other names are resolved at each request."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or not ip_address(host).is_global
    except ValueError:
        return False
