"""Builders for the tests of nodes: contexts of a node and stored profiles."""

from collections.abc import Mapping
from typing import Any

from engine.flow.node import NodeContext
from engine.profile.document import Part, Profile
from engine.profile.fold import fold
from engine.profile.profile_view import profile_view

NOW = 1_700_000_000_000
ANN = "p-ann"


def stored_profile(id: str = ANN, *merged: str, **values: Any) -> Profile:
    """A stored profile. `merged` are ids that were merged into it, `values` its values (`traits__tier="gold"`)."""
    cells = {name.replace("__", "."): value for name, value in values.items()}
    parts = {id: Part(id=id, created=NOW, base=NOW, last=NOW, cells=cells)}
    parts |= {other: Part(id=other, created=NOW, base=NOW, last=NOW) for other in merged}
    return Profile(id=id, created=NOW, version=1, parts=parts)


def node_context(
    profile: Profile | None = None, session: Mapping[str, Any] | None = None, event: Mapping[str, Any] | None = None
) -> NodeContext:
    """The context of a node: an event of the source `shop`, with that profile and session."""
    return NodeContext(
        event=event
        or {
            "id": "e-1",
            "type": "order-paid",
            "properties": {},
            "context": {},
            "time": NOW,
            "received": NOW,
            "late": False,
        },
        session=session,
        profile=None if profile is None else profile_view(profile, fold(profile)),
        source={"id": "shop", "kind": "public", "consent": False, "times": "received"},
        stored_profile=profile,
        now=NOW,
        new_id="p-new",
    )
