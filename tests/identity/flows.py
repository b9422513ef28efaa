"""The project that all histories use, and those who send it events."""

from functools import cache
from typing import NamedTuple

from engine.profile.key import KeyRules
from engine.project.project import Project, Settings
from engine.project.source import Source
from tests.identity.model import EXCLUSIVE
from tests.projects import project

PATHS = {"email": "pii.email", "phone": "pii.phone", "customer": EXCLUSIVE}
ANSWERS = """
      joined: {respond: {port: merged}}
      same: {respond: {port: unchanged}}
      two: {respond: {port: other}}
      failed: {respond: {port: failed}}
"""
FLOWS = (
    """
    flow: identify
    trigger: {event: identify}
    nodes:
      who:
        profile.merge: {pii.email: "{{ event.properties.email }}", pii.phone: "{{ event.properties.phone }}"}
        next: {merged: joined, unchanged: same, other: two, failed: failed}
    """
    + ANSWERS,
    """
    flow: customer
    trigger: {event: customer}
    nodes:
      who:
        profile.merge: {traits.customer: "{{ event.properties.customer }}"}
        next: {merged: joined, unchanged: same, other: two, failed: failed}
    """
    + ANSWERS,
    """
    flow: alias
    trigger: {event: alias}
    nodes:
      who:
        profile.alias: "{{ event.properties.other }}"
        next: {merged: joined, unchanged: same, missing: nobody, other: two, failed: failed}
      nobody: {respond: {port: missing}}
    """
    + ANSWERS,
    """
    flow: say
    trigger: {event: say}
    nodes:
      name: {profile.set: {traits.name: "{{ event.properties.name }}"}}
    """,
    """
    flow: track
    trigger: {event: track}
    nodes:
      count: {profile.increment: {traits.count: "{{ event.properties.by }}"}}
    """,
    """
    flow: conclude
    trigger: {event: conclude}
    nodes:
      copy: {profile.set: {traits.concluded.name: "{{ profile.traits.name | default('nobody') }}"}}
    """,
    """
    flow: entered
    trigger: {event: segment-entered}
    nodes:
      tell: {respond: {entered: "{{ event.properties.segment }}"}, next: count}
      count: {profile.increment: {traits.concluded.entered: 1}}
    """,
    """
    flow: left
    trigger: {event: segment-left}
    nodes:
      tell: {respond: {left: "{{ event.properties.segment }}"}, next: count}
      count: {profile.increment: {traits.concluded.left: 1}}
    """,
    """
    flow: hand-over
    trigger: {event: hand-over}
    nodes:
      bob:
        session.hand_over: {traits.customer: "{{ event.properties.customer }}"}
        next: {same: same, failed: failed}
      same: {respond: {port: same}}
      failed: {respond: {port: failed}}
    """,
    """
    flow: view
    trigger: {event: [identify, customer, alias, say, track, conclude, hand-over]}
    nodes:
      seen:
        respond:
          count: "{{ profile.traits.count | default(0) }}"
          name: "{{ profile.traits.name | default('nobody') }}"
          segments: "{{ profile.segments }}"
    """,
)
PAGES = Source(source="pages", identify="link", profiles=True)
APP = Source(source="app", identify="trust", profiles=True)
SERVER = Source(source="server", kind="secret", key="0" * 64, profiles=True)
SOURCES = {source.source: source for source in (PAGES, APP, SERVER)}
BIG = 0.5  # the count from which a profile is in the segment `big`


class Sender(NamedTuple):
    """A session of a source, or a visitor with or without a user. A session that was handed over has its user in it."""

    source: str
    session: str
    visitor: str = ""
    user: str = ""

    @property
    def trusted(self) -> bool:
        """Whether all that it brings is proven."""
        return self.source != "pages"

    @property
    def device(self) -> tuple[str, str, str]:
        """The names that are the same for all who use one device."""
        return self.source, self.session.partition(">")[0], self.visitor


@cache
def the_project(most_per_key: int) -> Project:
    """The project that all histories use."""
    keys = KeyRules(
        forms=((("traits", "customer"), "exact"),),
        max_per_key=most_per_key,
        exclusive=frozenset({("traits", "customer")}),
        user=("traits", "customer"),
    )
    segments = {"big": f"(profile.traits.count | default(0)) >= {BIG}"}
    sources = tuple(SOURCES.values())
    return project(*FLOWS, segments=segments, sources=sources, settings=Settings(keys=keys))
