"""Keys that one source proves and another one only claims: a proof and a claim of a key never merge two profiles.

A source brings the keys of the flows that its events may start, and the user ids of its payloads.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.flow.plan import Flow
from engine.language.expression import Condition
from engine.problem import Problem
from engine.profile.document import Path
from engine.project.source import Source
from engine.tracking.intake.admission import authority
from flows.merge_keys import merge_keys

SourceKeys = Mapping[str, Mapping[Path, str]]  # by source: the paths of the keys that it brings, each as written


def keys_of_sources(
    sources: Iterable[str], flows: Iterable[tuple[Flow, Mapping[str, Any]]], user: Path | None
) -> SourceKeys:
    """Return the keys that events of each source may bring. `flows` come with their documents.

    `user` is the path of user ids. A flow or node whose condition reads the source is left out: it may choose one.
    """
    found: dict[str, dict[Path, str]] = {source: {} for source in sources}
    for flow, document in flows:
        reached = [source for source in found if flow.trigger.matches_source(source)]
        for node, _, text, path in merge_keys(flow, document):
            if not (_reads_source(flow.trigger.when) or _reads_source(node.when)):
                for source in reached:
                    found[source].setdefault(path, text)
    if user is not None:
        for keys in found.values():
            keys.setdefault(user, ".".join(user))
    return found


def claims_beside_proofs(
    source: Source, document: Mapping[str, Any], sources: Mapping[str, Source], keys: SourceKeys
) -> Iterator[Problem]:
    """Yield a problem if `source` only claims keys that another one of `sources` proves, and takes no user tokens.

    `document` is that of `source`.
    """
    if not source.enabled or authority(source) != "link" or source.user_secret is not None:
        return
    own = keys[source.source]
    for other in sources.values():
        shared = ", ".join(f"`{text}`" for path, text in own.items() if path in keys[other.source])
        if shared and other.enabled and authority(other) == "trust":
            yield Problem(
                code="H419",
                message=f"`{source.source}` only claims {shared}, which `{other.source}` proves: "
                "a user has two profiles, the proven one and the joint one of the pages",
                path=("identify",) if "identify" in document else ("source",),
                help=_remedy(source),
                severity="warning",
            )
            return


def _remedy(source: Source) -> str:
    """Return what to do about claims beside proofs. Only payloads of `/track` carry user tokens."""
    if "track" in source.accepts:
        return "let the pages send user tokens (`user_secret`), or believe what they send (`identify: trust`)"
    return "believe what the pages send (`identify: trust`), or keep two profiles; SDKs cannot carry user tokens"


def _reads_source(condition: Condition | None) -> bool:
    return condition is not None and any(read.path[0] == "source" for read in condition.reads)
