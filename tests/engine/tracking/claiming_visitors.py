"""A shop with a till that is believed, and flows that would tell a stranger what they met."""

from hashlib import sha256
from typing import Any

from engine.ports.store import Store
from engine.project.source import Source
from tests.engine.tracking.collector import Collector
from tests.projects import payload, project

TILL = Source(source="till", kind="secret", key=sha256(b"k").hexdigest(), debugger=True, profiles=True)
EVERYTHING: dict[str, Any] = {"profile": True}

LOOKUP = """
flow: lookup
trigger: {event: look}
nodes:
  who:
    lookup.profile: {key: {pii.email: "{{ event.properties.email }}"}}
    next: {found: tell}
  tell: {respond: {secret: "{{ nodes.who.out.traits.secret }}"}}
"""
ATTACH = """
flow: attach
trigger: {event: attach}
nodes:
  who:
    profile.attach: {key: {pii.email: "{{ event.properties.email }}"}}
    next: {attached: tell, missing: nobody, failed: nobody}
  tell: {respond: {secret: "{{ profile.traits.secret }}"}}
  nobody: {log: nobody}
"""


def shop_of(store: Store, public: Source, *flows: str) -> Collector:
    """The shop with its public source beside the till."""
    return Collector(project(*flows, sources=(public, TILL)), store, keys={"till": "k"})


def from_till(*events: dict[str, Any], session: str = "till") -> dict[str, Any]:
    """A payload of the till."""
    return {**payload(*events, session=session), "source": {"id": "till"}}
