"""The source and the session as flows see them."""

from typing import Any

from engine.ports.records import Session
from engine.project.source import Source


def source_view(source: Source) -> dict[str, Any]:
    """Return the `source` that flows see: never its key or its secret."""
    return {"id": source.source, "kind": source.kind, "consent": source.consent}


def session_view(session: Session | None) -> dict[str, Any] | None:
    """Return the `session` that flows see."""
    if session is None:
        return None
    return {
        "id": session.id,
        "created": session.created,
        "properties": session.properties,
        "context": session.context,
    }
