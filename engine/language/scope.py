"""What expressions may read."""

from collections.abc import Mapping
from typing import Any

Scope = Mapping[str, Any]
"""Root name -> plain data: dictionaries, lists, tuples (which count as lists), text, numbers, booleans, null.

Below dictionaries all must be exact built-in types; a root that is None or missing has everything below it absent.
"""

ROOTS = frozenset({"event", "session", "profile", "source", "nodes", "now"})
