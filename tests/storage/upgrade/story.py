"""The events of the upgrade fixtures, and the project that they were sent to.

Both the code of the old commit and today's import this module, so it uses only names that both have.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from tests import projects

DAY = 86_400_000  # ms
FLOWS = (
    """
    flow: order
    trigger: {event: order-paid}
    nodes:
      buyer:
        profile.merge: {pii.email: "{{ event.properties.email }}", pii.phone: "{{ event.properties.phone }}"}
        next: revenue
      revenue:
        profile.increment: {traits.revenue: "{{ event.properties.total }}", traits.orders: 1}
        next: count
      count:
        profile.count: {orders: 1}
        next: items
      items:
        profile.append: {traits.items: "{{ event.properties.item }}"}
        next: tags
      tags:
        profile.add: {traits.tags: "{{ event.properties.item }}"}
        next: visit
      visit:
        session.set: {properties.last_total: "{{ event.properties.total }}"}
        next: remember
      remember:
        cache.set: {key: "item:{{ event.properties.item }}", value: "{{ event.properties.total }}", ttl: 30d}
        next: ship
      ship:
        event.emit: {type: order-shipped, properties: {item: "{{ event.properties.item }}"}}
        next: big
      big:
        if: profile.traits.revenue >= 300
        next: {then: vip}
      vip: {segment.add: vip}
    """,
    """
    flow: address
    trigger: {event: address-changed}
    nodes:
      set:
        profile.set: {traits.address: {city: "{{ event.properties.city }}", zip: "{{ event.properties.zip }}"}}
        next: agree
      agree:
        consent.set: {consents: {newsletter: true, profiling: false}, expires_in: 365d}
    """,
    """
    flow: alias
    trigger: {event: device-linked}
    nodes:
      link: {profile.alias: "{{ event.properties.other }}"}
    """,
    """
    flow: page
    trigger: {event: page-view}
    nodes:
      page: {profile.set: {traits.page: "{{ event.properties.page }}"}, next: odd}
      odd: {if: "event.properties.page == '/3'", next: {then: fail}}
      fail: {fail: "there is no page {{ event.properties.page }}"}
    """,
    """
    flow: referral
    trigger: {event: friend-named}
    nodes:
      friend:
        lookup.profile: {key: {pii.email: "{{ event.properties.email }}"}}
        next: {found: note}
      note: {profile.set: {traits.friend_revenue: "{{ nodes.friend.out.traits.revenue }}"}}
    """,
    """
    flow: return
    trigger: {event: order-returned}
    nodes:
      less:
        profile.increment: {traits.revenue: "{{ 0 - event.properties.total }}"}
        next: tag
      tag:
        profile.remove: {traits.tags: "{{ event.properties.item }}"}
        next: forget
      forget: {profile.unset: traits.address.zip}
    """,
    """
    flow: segment-changes
    trigger: {event: [segment-entered, segment-left], when: event.origin == 'system'}
    nodes:
      note: {profile.append: {traits.history: "{{ event.type }} {{ event.properties.segment }}"}}
    """,
)
SEGMENTS = {  # name -> condition, `for` in ms, `within` in ms; None is a manual one
    "vip": None,
    "spenders": ("profile.traits.revenue >= 100", 0, 0),
    "steady": ("counted('orders', '60d') > 0", 10 * DAY, 0),
    "recent": ("counted('orders', '1d') > 0", 0, 45 * DAY),
    "lapsed": ("profile.metadata.last_seen < now - days(20)", 0, 0),
    "returning": ("profile.metadata.visits > 1", 0, 0),
}
MORE_SEGMENTS = {**SEGMENTS, "buyers": ("profile.traits.orders > 0", 0, 0)}
VISITORS = 24
READERS = 14
KEYS = {"till": "a key of the till"}
QUERIES = (
    ("events", ""),
    ("events", "type:order-paid"),
    ("events", "properties.item:tea AND received:[2023-11-15 TO 2023-12-31]"),
    ("events", "origin:flow"),
    ("events", "properties.total:>=200"),
    ("events", "session:visit-3"),
    ("profiles", ""),
    ("profiles", "segments:vip"),
    ("profiles", "segments:(spenders OR lapsed) AND NOT segments:vip"),
    ("profiles", "traits.address.city:Bergen"),
    ("profiles", "traits.revenue:>150"),
    ("profiles", 'pii.email:"buyer3@example.com"'),
    ("profiles", "consents.newsletter.given:*"),
    ("profiles", "metadata.version:>2"),
    ("sessions", ""),
    ("sessions", "properties.last_total:>=100"),
    ("sessions", "source:till"),
    ("runs", ""),
    ("runs", "flow:order AND outcome:finished"),
    ("runs", "flow:segment-changes"),
    ("runs", "outcome:failed"),
    ("runs", "flow:address AND at:<=2023-11-30"),
    ("rejected", ""),
    ("rejected", "source:shop"),
)


def project(segments: dict[str, Any] = SEGMENTS) -> Any:
    """The project, with these segments."""
    sources = (
        projects.Source(source="shop", identify="link", debugger=True, profiles=True),
        projects.Source(
            source="till",
            kind="secret",
            identify="trust",
            key=sha256(KEYS["till"].encode()).hexdigest(),
            debugger=True,
            profiles=True,
        ),
    )
    made = {name: None if rule is None else _segment(name, *rule) for name, rule in segments.items()}
    return projects.project(*FLOWS, segments=made, sources=sources)


def _segment(name: str, condition: str, for_ms: int, within_ms: int) -> Any:
    compiled = projects.compile_condition(condition)
    return projects.Segment(name=name, condition=compiled, for_ms=for_ms, within_ms=within_ms)


def payloads() -> Iterator[tuple[int, dict[str, Any]]]:
    """The bodies of the requests, each with the time in ms that passes before it; two months in all."""
    for number in range(VISITORS):
        yield DAY, _sent("shop", f"visit-{number}", _order(number))
        if number % 3 == 0:
            yield 1_000, _sent("till", f"checkout-{number}", _order(number, trusted=True))
            yield 1_000, _sent("till", f"counter-{number}", _order(number, 15, trusted=True))
        if number % 4 == 1:
            yield 60_000, _sent("shop", f"visit-{number}", _event("address-changed", city="Bergen", zip=f"50{number}"))
        if number % 5 == 2:
            yield 60_000, _sent("shop", f"again-{number}", _order(number, total=45), _event("page-view", page="/"))
        if number % 6 == 3:
            named = _event("friend-named", email=f"buyer{number - 3}@example.com")
            yield 1, _sent("till", f"checkout-{number}", named)
        if number % 8 == 5:
            yield 5, _sent("shop", f"visit-{number}", _event("order-returned", total=10, item="tea"), {"no": "type"})
    for number in range(READERS):
        yield DAY, _sent("shop", f"reader-{number}", _event("page-view", page=f"/{number}"))
    yield 1, _sent("shop", f"visit-{VISITORS - 1}", _order(VISITORS - 1))  # a duplicate


def _order(number: int, total: int | None = None, *, trusted: bool = False) -> dict[str, Any]:
    """An order; three visitors in a row share an e-mail address, and some have a phone number."""
    properties: dict[str, Any] = {
        "email": f"buyer{number // 3 * 3}@example.com",
        "total": total if total is not None else 20 + 17 * number % 400,
        "item": ("tea", "coffee", "cocoa é")[number % 3],
    }
    if number % 7 == 0:
        properties["phone"] = f"+47 {number:08}"
    id = f"order-{number}-{total}-{trusted}"
    return {**_event("order-paid", **properties), "id": id, "context": {"ip": "203.0.113.7"}}


def _event(type: str, **properties: Any) -> dict[str, Any]:
    return {"type": type, "properties": properties}


def _sent(source: str, session: str, *events: dict[str, Any]) -> dict[str, Any]:
    context = {"page": {"url": "https://shop.example"}}
    return {"source": {"id": source}, "session": {"id": session}, "events": list(events), "context": context}
