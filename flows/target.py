"""Targets whose address can be seen to be of no use, before anything is asked of them."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from engine.problem import Problem
from engine.project.source import Target


def target_problems(targets: Mapping[str, Target]) -> Iterator[Problem]:
    """Templates in an address, and addresses on this machine or network that a target does not own up to."""
    for name, target in targets.items():
        at = ("targets", name, "url")
        if "{{" in target.url:
            help = "what depends on the event stands in the node's `path` and `query`"
            yield Problem(code="H404", message="no templates here: the address is fixed", path=at, help=help)
        elif not target.private and _is_private(target.url):
            message = f"look-ups of `{name}` are refused: the address is a private one, or of this machine"
            help = "if it is meant, add `private: true` to the target"
            yield Problem(code="H416", message=message, path=at, help=help, severity="warning")


def _is_private(url: str) -> bool:
    """Whether the address says so itself; what a name stands for is known when it is called."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or not ip_address(host).is_global
    except ValueError:
        return False
