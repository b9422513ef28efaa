"""Keys that two sources share. In another system's protocol the key alone names the source, so it names neither."""

from collections.abc import Iterator, Mapping

from engine.problem import Problem
from engine.project.source import Source
from flows.foreign_users import OWN


def shared_key(source: Source, sources: Mapping[str, Source]) -> Iterator[Problem]:
    """Yield a problem if a source before this one in `sources` has its key, and both accept another protocol."""
    for other in sources.values():
        if other is source:
            return
        if _names_by_key(source) and _names_by_key(other) and (source.key or "").lower() == (other.key or "").lower():
            yield Problem(
                code="H434",
                message=f"`{source.source}` has the key of `{other.source}`, so a request that carries it is refused",
                path=("key",),
                help="make another key: `openssl rand -hex 32`",
            )
            return


def _names_by_key(source: Source) -> bool:
    return source.enabled and source.key is not None and any(name != OWN for name in source.accepts)
