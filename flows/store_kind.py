"""The kind of a store, as `store:` in headrace.yaml names it."""

from collections.abc import Iterator
from typing import Final

from engine.problem import Problem, did_you_mean

STORES: Final = ("elasticsearch", "memory", "sqlite")  # the kinds that `storage` has; nothing here imports it


def unknown_store(url: str | None) -> Iterator[Problem]:
    """A problem for a store of an unknown kind. The message leaves out the rest of its address, a possible secret."""
    kind, colon, _ = (url or "sqlite:").partition(":")
    if colon and kind in STORES:
        return
    message = f"`{kind}{colon}` is not a kind of store"
    if "${" in kind:
        message, help = "references are not resolved here", "write it out, or set HEADRACE_STORE in the environment"
    elif kind in ("http", "https"):
        help = "write `elasticsearch:` before it"
    elif kind in STORES:
        help = f'write "{kind}:"'
    else:
        help = did_you_mean(kind, STORES) if colon else "write `sqlite:` before it, if it is a file"
    yield Problem(code="H417", message=message, path=("store",), help=help)
