"""Credentials of foreign protocols: the one key of a request says which source it is from.

A key is the id of a public source, which stands in pages, or the API key of a secret one, of which the project knows
the SHA-256 only. A request may carry its key in several places, and then the same one in all of them.
"""

import hashlib
from collections.abc import Iterable, Mapping

from engine.project.origin import allows
from engine.project.source import Accepted, Source
from engine.tracking.intake.payload import Refusal


class Credentials:
    """The enabled sources of a project by their keys."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._sources = sources
        enabled = [source for source in sources.values() if source.enabled]
        self._public = {source.source: source for source in enabled if source.kind == "public"}
        self._secret: dict[str, Source | None] = {}
        for source in enabled:
            if source.kind == "secret" and source.key is not None:
                digest = source.key.lower()
                self._secret[digest] = None if digest in self._secret else source  # a key of two sources names neither

    def source_of(self, keys: Iterable[str], protocol: Accepted, origin: str | None) -> Source:
        """Return the source that the `keys` of a request name.

        Raises `Refusal`: for no key, two different ones, one that is unknown, a source that does not accept `protocol`,
        and an `origin` that the source does not take. But for the last only its `cause` is a reason.
        """
        given = {key for key in keys if key}
        source = self._named(next(iter(given))) if len(given) == 1 else None  # a source has one key
        if source is None or protocol not in source.accepts:
            detail = f"the key is missing or unknown, or its source is disabled or does not accept {protocol}"
            raise Refusal("unauthorised", detail, cause=self._cause(given, source, protocol))
        if origin is not None and source.origins and not allows(source.origins, origin):
            raise Refusal("not-allowed", f"source `{source.source}` does not take events from the origin {origin}")
        return source

    def _named(self, key: str) -> Source | None:
        public = self._public.get(key)
        return public if public is not None else self._secret.get(hashlib.sha256(key.encode()).hexdigest())

    def _cause(self, given: set[str], source: Source | None, protocol: Accepted) -> str:
        """Return why keys are refused, for the log: without the keys, which may be those of another system."""
        if not given:
            return "the request has no key"
        if len(given) > 1:
            return "the request has several keys"
        if source is None:
            return self._unknown(next(iter(given)))
        return f"the source `{source.source}` does not accept {protocol}: add it to `accepts` in its file"

    def _unknown(self, key: str) -> str:
        source = self._sources.get(key)
        if source is None:
            return "the key is that of no enabled source, or of two"
        if not source.enabled:
            return f"the source `{source.source}` is disabled"
        return f"the key is the id of the secret source `{source.source}`: its clients send its API key"
