"""The story of the fixture of linked profiles: the events of about a thousand visitors, and the flows that take them.

Visitors come in groups, and each group has an e-mail address of its own. The source `shop` only claims keys, the source
`till` proves them. Both the code of the old commit and today's import this module.
"""

from collections.abc import Iterator
from typing import Any

FLOWS = (
    """
    flow: identify
    trigger: {event: identified}
    nodes:
      who:
        profile.merge:
          pii.email: "{{ event.properties.email }}"
          pii.phone: "{{ event.properties.phone }}"
          traits['card=no.']: "{{ event.properties.card }}"
        next: tags
      tags: {profile.add: {traits.tags: "{{ event.properties.tag }}"}, next: seen}
      seen: {profile.count: {visits: 1}}
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
      page: {profile.set: {traits.page: "{{ event.properties.page }}"}, next: count}
      count: {profile.increment: {traits.pages: 1}, next: visit}
      visit: {session.set: {properties.page: "{{ event.properties.page }}"}}
    """,
)
KEYS = {"till": "a key of the till"}
GROUPS = 190

# What the visitors of a group do, by the number of the group: the source, the visitor, and the keys that it brings.
Act = tuple[str, int, tuple[str, ...]]
PLAYS: tuple[tuple[Act, ...], ...] = (
    (("shop", 0, ("email",)),),  # claimed by one
    (("shop", 0, ("email",)), ("shop", 1, ("email",)), ("shop", 2, ("phone",))),  # claimed by two
    (("till", 0, ("email",)), ("shop", 1, ("email",)), ("shop", 2, ("email",))),  # proven by one, claimed by others
    (("till", 0, ("email",)), ("till", 1, ("email",))),  # proven by two
    (("shop", 0, ("email",)), ("till", 1, ("email",))),  # claimed, then proven by another
    (("shop", 0, ("email",)), ("shop", 1, ("email",)), ("shop", 2, ("email",)), ("till", 0, ("card",))),
    (("shop", 0, ("email", "phone")), ("shop", 1, ("email",)), ("shop", 2, ("phone",)), ("till", 2, ("phone",))),
    (("till", 0, ("card",)), ("till", 1, ("card", "email")), ("shop", 2, ("email",)), ("shop", 3, ("phone",))),
    (("shop", 0, ("email",)), ("shop", 1, ("email",)), ("till", 2, ("alias",)), ("till", 2, ("card",))),
    (("shop", 0, ("email",)), ("shop", 1, ("alias",)), ("shop", 2, ("email",))),
)  # fmt: skip


def payloads(group: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """The events of a group, each with its source and the visitor's number."""
    values = {"email": f"person{group}@example.com", "phone": f"+47 {group:08}", "card": f"c={group}"}
    for source, visitor, keys in PLAYS[group % len(PLAYS)]:
        id = f"{group}-{source}-{visitor}-{keys[0]}"
        yield source, visitor, {"type": "page-view", "id": f"first-{id}", "properties": {"page": f"/{group}"}}
        if keys == ("alias",):
            yield source, visitor, {"type": "device-linked", "properties": {"other": 0}}
        else:
            brought = {key: values[key] for key in keys} | {"tag": f"v{visitor}"}
            yield source, visitor, {"type": "identified", "id": id, "properties": brought}
    for visitor in (0, 1, 10, 11):
        yield "shop", visitor, {"type": "page-view", "properties": {"page": "/late"}}
