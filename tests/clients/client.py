"""The clients under test: how each is started, with which options, and what it does when requests fail."""

import re
from pathlib import Path
from typing import Any

import msgspec

from tests.clients.installation import chromium, node, packages, python

DRIVERS = Path(__file__).parent / "drivers"
MARKS = {
    "segment": re.compile(rb'"messageId":\s*"([^"]+)"'),
    "posthog": re.compile(rb'"uuid":\s*"([^"]+)"'),
    "rakam": re.compile(rb'"n":\s*(\d+)'),
    "traintracks": re.compile(rb'"n":\s*(\d+)'),
}
"""Finds in a request the marks of its events, by protocol: their ids, or a property where they have none."""
WITH_IDS = frozenset({"segment", "posthog"})
"""The protocols whose events have ids."""


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A published client. Its driver is a program of `drivers/`, or for one of pages a script of `drivers/pages/`."""

    name: str
    protocol: str
    driver: tuple[str, ...] = ()
    page: str = ""
    options: dict[str, Any] = {}
    apart: bool = True
    """Whether a request passes between two that fail: else a client that waits longer each time needs minutes, and one
    that has all in a single request needs it."""
    drops_at: tuple[int, ...] = ()
    """The statuses at which it drops events although it should send them again: no server can help it."""
    learns: bool = True
    """Whether it learns what became of its requests; a beacon does not."""

    @property
    def kind(self) -> str:
        """The kind of its sources: a page can keep no secret."""
        return "public" if self.page else "secret"

    @property
    def needs(self) -> str:
        """The programs that it needs beside Headrace, in words."""
        if self.page:
            return "Node and Chromium"
        return "the Python clients" if self.driver[0].endswith(".py") else "Node"

    def command(self) -> list[str]:
        """The command of its driver, which for a page takes its address. Raises `Missing` if it cannot be had here."""
        if self.page:
            packages()
            return [str(node()), str(DRIVERS / "browser.cjs"), str(chromium())]
        program, *arguments = self.driver
        if program.endswith(".py"):
            return [str(python()), str(DRIVERS / program), *arguments]
        packages()
        return [str(node()), str(DRIVERS / program), *arguments]


SEGMENT = (
    Client(name="segment-python", protocol="segment", driver=("segment_python.py", "segment")),
    Client(name="rudder-python", protocol="segment", driver=("segment_python.py", "rudder"), options={"gzip": True}),
    Client(name="segment-node", protocol="segment", driver=("segment_node.cjs",)),
    Client(name="segment-node-6", protocol="segment", driver=("segment_node_6.cjs",)),
    Client(name="segment-page", protocol="segment", page="segment", options={"batch": 1}),
    Client(name="segment-page-batches", protocol="segment", page="segment", apart=False),
    Client(name="rudder-page", protocol="segment", page="rudder", options={"beacon": False}),
    Client(name="rudder-page-beacon", protocol="segment", page="rudder", options={"beacon": True}, learns=False),
)
POSTHOG = (
    Client(name="posthog-python", protocol="posthog", driver=("posthog_python.py",)),
    Client(name="posthog-python-gzip", protocol="posthog", driver=("posthog_python.py",), options={"gzip": True}),
    Client(name="posthog-page", protocol="posthog", page="posthog", drops_at=(429,)),
)
RAKAM = (
    Client(name="rakam-python", protocol="rakam", driver=("rakam_python.py",), apart=False),
    Client(name="rakam-page", protocol="rakam", page="rakam", apart=False),
)
TRAINTRACKS = (Client(name="traintracks-page", protocol="traintracks", page="traintracks"),)
CLIENTS = (*SEGMENT, *POSTHOG, *RAKAM, *TRAINTRACKS)


def by_name(name: str) -> Client:
    """The client of this name."""
    return next(client for client in CLIENTS if client.name == name)
