"""Lists of what nodes have let through of late, for limits on how often; each keeps the newest entries of a profile.

A list is written by `Append`, so those of several ids are joined when profiles merge, and each id keeps its own when
they are split. Expressions cannot read it.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from engine.language.operators import as_text
from engine.profile.document import LIST_CAP
from engine.profile.operations import Append

RECENT: Final = "recent"  # the root of a view under which the lists are
MAX_RECENT: Final = LIST_CAP


def recent(view: Mapping[str, Any], name: str, since: int) -> list[str]:
    """Return the keys of the entries of a list that were made after the time `since` (ms)."""
    entries = view.get(RECENT, {}).get(name, ())
    return [entry["key"] for entry in entries if entry["at"] > since]


def let_through(name: str, key: str, now: int) -> Append:
    """Return the operation that adds an entry to a list."""
    return Append((RECENT, name), {"key": key, "at": now})


def key_of(value: Any) -> str:
    """Return a short hash of a value, so that the profile does not keep the value itself. Raises `Unusable`."""
    kind = type(value).__name__
    return sha256(f"{kind}:{as_text(value)}".encode(errors="surrogatepass")).hexdigest()[:20]
