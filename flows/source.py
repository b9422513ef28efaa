"""`sources/*.yaml`: who may send events."""

import re
from typing import Any

from engine.problem import Problem
from engine.tracking.source import Source
from flows.typed import read_struct

_HASH = re.compile(r"[0-9a-f]{64}")


def read_source(data: Any) -> tuple[Source | None, list[Problem]]:
    """The source that `data` describes, or None with what is wrong."""
    source, problems = read_struct(Source, data, "a source")
    if source is None:
        return None, problems
    if source.kind == "secret" and source.key is None:
        remedy = "add `key:` with the SHA-256 (hex) of the key that its requests carry"
        message = f"the secret source `{source.source}` needs `key`"
        problems.append(Problem(code="H403", message=message, path=("kind",), help=remedy))
    if source.key is not None and not _HASH.fullmatch(source.key):
        remedy = "write the key's SHA-256 as 64 hexadecimal digits, never the key itself"
        problems.append(Problem(code="H404", message="`key` is not a SHA-256", path=("key",), help=remedy))
    return (None if problems else source), problems
