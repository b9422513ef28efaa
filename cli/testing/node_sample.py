"""The event, session and profile on which examples of node types are run."""

from collections.abc import Mapping
from typing import Any, Final

from engine.flow.node import NodeContext
from engine.flow.run import Inputs
from engine.profile.apply import apply_operations
from engine.profile.document import Profile, new_profile
from engine.profile.fold import fold
from engine.profile.operations import Set
from engine.profile.profile_view import profile_view

NOW: Final = 1_700_000_000_000  # 2023-11-14, 22:13:20 UTC
PROPERTIES: Final[Mapping[str, Any]] = {
    "total": 49.5,
    "currency": "EUR",
    "order": "A-1",
    "sku": "M-100",
    "quantity": 2,
    "code": "SPRING",
    "name": "Ann",
    "email": "ann@example.com",
    "phone": "+49 30 901820",
    "url": "https://shop.example/mills?utm_source=news",
    "query": "coffee mill",
    "topic": "coffee",
    "tags": ["coffee", "mill"],
    "items": [{"sku": "M-100", "price": 39.5, "quantity": 1}, {"sku": "B-7", "price": 10, "quantity": 1}],
    "address": {"city": "Berlin", "country": "DE"},
}
TRAITS: Final[Mapping[str, Any]] = {"name": "Ann", "revenue": 500, "orders": 3, "tier": "gold", "tags": ["coffee"]}


def sample_profile(traits: Mapping[str, Any] = {}) -> Profile:
    """Return the stored profile of Ann, with more or other traits."""
    operations = [Set(("traits", name), value) for name, value in {**TRAITS, **traits}.items()]
    operations.append(Set(("pii", "email"), "ann@example.com"))
    return apply_operations(new_profile("p-ann", NOW), "p-ann", operations, NOW)[0]


def sample_inputs(properties: Mapping[str, Any] = {}, traits: Mapping[str, Any] = {}) -> Inputs:
    """Return the inputs of a run: an order of Ann's, with more or other properties."""
    event = {
        "id": "e-1",
        "type": "order-paid",
        "properties": {**PROPERTIES, **properties},
        "context": {},
        "time": NOW,
        "received": NOW,
        "late": False,
    }
    return Inputs(
        event=event,
        session={"id": "s-1", "created": NOW, "properties": {}, "context": {}},
        source={"id": "shop", "kind": "public", "consent": False, "times": "received"},
        profile=sample_profile(traits),
        now=NOW,
        seed="new-",
        acting_id="p-ann",
    )


def node_context(properties: Mapping[str, Any] = {}, traits: Mapping[str, Any] = {}) -> NodeContext:
    """Return the context in which a node runs for that order, for tests that call `run`, `ask` or `answer`."""
    inputs = sample_inputs(properties, traits)
    profile = inputs.profile
    return NodeContext(
        event=inputs.event,
        session=inputs.session,
        profile=None if profile is None else profile_view(profile, fold(profile)),
        source=inputs.source,
        stored_profile=profile,
        now=NOW,
        new_id="p-new",
        acting_id="p-ann",
    )
