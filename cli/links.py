"""Links of profiles in words: the keys and ids that they lead to, and what they are now."""

from datetime import UTC, datetime

from cli.document import Document
from engine.profile.key_name import key_name

HASH_DIGITS = 6  # that tell the values of a path apart


def show_side(name: str) -> str:
    """Return what a link leads to, without an article: a key, as claimed or proven, with its path; or an id."""
    key = key_name(name)
    if key is None:
        return f"id {name}"
    return f"{'claimed' if key.claimed else 'proven'} key {key.path} ({key.hash[:HASH_DIGITS]}…)"


def show_link(link: Document) -> str:
    """Return a link in words, as in "Undone: ..."."""
    return f"the link of {link['left']} to the {show_side(link['right'])}"


def show_kind(link: Document) -> str:
    """Return by what a link was made."""
    kind = {"claim": "a claim", "proof": "a proof", "own": "the first user of a device"}[link["by"]]
    return f"{kind}, an alias" if link.get("alias") else kind


def show_state(link: Document) -> str:
    """Return since when a link no longer holds and why; empty if it holds."""
    ceased = f"ceased {show_time(link['ceased'])} with the link {link['ceased_by'][:8]}" if "ceased" in link else ""
    undone = f"undone {show_time(link['undone'])}" if "undone" in link else ""
    return ", ".join(filter(None, (ceased, undone)))


def show_time(ms: int) -> str:
    """Return a time in UTC, to the second."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
