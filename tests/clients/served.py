"""A served project for all clients. Each client sends to sources of its own, by which its events are found."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import msgspec
import yaml

from tests.system.server_process import ServerProcess, serving_on

SETTINGS = """
name: clients
identity: {user: traits.user_id}
"""
COUNT = """
flow: count
trigger: {event: counted}
profile: required
nodes:
  add: {profile.increment: {traits.count: 1}}
"""
SECRET = "product-secret-of-a-test-0123456789"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A stored event, as operators read it."""

    id: str
    type: str
    profile: str
    time: str | None = None
    properties: dict[str, Any] = {}
    context: dict[str, Any] = {}


def key_of(source: str, kind: str) -> str:
    """The key that a client sends: of a secret source its secret, of a public one its id."""
    return f"key-of-{source}" if kind == "secret" else source


class Sender(msgspec.Struct, frozen=True):
    """A source to which a client sends."""

    kind: str
    protocol: str
    identify: str = "link"


def write_project(root: Path, senders: Mapping[str, Sender], pages: str) -> Path:
    """A project with these sources, by their names. `pages` is the origin whose pages may send."""
    for folder in ("flows", "sources"):
        (root / folder).mkdir(parents=True)
    (root / "headrace.yaml").write_text(SETTINGS)
    (root / "flows" / "count.yaml").write_text(COUNT)
    (root / "product-secret").write_text(SECRET)
    for name, sender in senders.items():
        (root / "sources" / f"{name}.yaml").write_text(yaml.safe_dump(_source(name, sender, pages)))
    return root


def _source(name: str, sender: Sender, pages: str) -> dict[str, Any]:
    source: dict[str, Any] = {"source": name, "kind": sender.kind, "accepts": [sender.protocol], "origins": [pages]}
    if sender.kind == "secret":
        source["key"] = hashlib.sha256(key_of(name, sender.kind).encode()).hexdigest()
    else:
        source["identify"] = sender.identify
    if sender.protocol == "traintracks":
        source["product_secret"] = "${file:product-secret}"
    return source


class Server:
    """`headrace serve` of the project on a store; it can be killed and started again."""

    def __init__(self, project: Path, store: str, *options: str) -> None:
        self._project = project
        self._store = (store, *options)
        self._stack = ExitStack()
        self._restarting = Lock()  # another thread restarts it
        self._process = self._start()

    @property
    def address(self) -> str:
        """Where it answers; another place after each restart."""
        return self._process.address

    def restart(self) -> str:
        """Kill it, as by `kill -9`, start it again on what it has stored, and return its address."""
        with self._restarting:
            self._process.kill()
            self._process = self._start()
            return self.address

    def events(self, source: str) -> list[Event]:
        """All stored events that clients have sent to a source."""
        found: list[Event] = []
        after = ""
        query = quote(f"source:{source} AND origin:client")
        while True:
            page = self._get(f"/search/events?q={query}&limit=500&after={after}")
            found += msgspec.convert(page["items"], list[Event])
            if page["after"] is None:
                return found
            after = quote(page["after"])

    def rejected(self, source: str) -> list[dict[str, Any]]:
        """The rejected events of a source."""
        return [one for one in self._get("/rejected") if one["source"] == source]

    def profile(self, id: str) -> dict[str, Any]:
        """The profile to which an id leads."""
        profile: dict[str, Any] = self._get(f"/profiles/{quote(id)}")
        return profile

    def end(self) -> None:
        """Stop it, if it still runs."""
        self._stack.close()

    def _start(self) -> ServerProcess:
        return self._stack.enter_context(serving_on(self._project, *self._store))

    def _get(self, path: str) -> Any:
        with self._restarting:
            request = Request(f"{self.address}{path}", headers=self._process.admin)
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)


@contextmanager
def serving(project: Path, store: str, *options: str) -> Iterator[Server]:
    """The server of a project, which ends with the block."""
    server = Server(project, store, *options)
    try:
        yield server
    finally:
        server.end()
