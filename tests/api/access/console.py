"""A console that is served to a test: with a clock that the test advances, and users that sign in."""

import re
from typing import Any, Final
from urllib.parse import urlencode

from api.access.directory import Directory, directory_of
from api.access.role import Role
from effects.clock import ManualClock
from storage.memory import MemoryStore
from tests.api.conftest import Serve
from tests.projects import project

FORM: Final = "application/x-www-form-urlencoded"
FLOW: Final = """
flow: count
trigger: {event: counted}
nodes:
  add: {profile.increment: {traits.count: 1}}
"""


class Console:
    """The served console and a browser of it: one that says from which page it sends."""

    def __init__(self, client: Any, clock: ManualClock, store: MemoryStore) -> None:
        self.client = client
        self.clock = clock
        self.store = store

    @property
    def directory(self) -> Directory:
        """The directory of the application."""
        return directory_of(self.client.app)

    async def get(self, path: str, headers: dict[str, str] | None = None) -> Any:
        """Return the answer to a request for a page."""
        return await self.client.get(path, headers=headers, follow_redirects=False)

    async def post(self, path: str, form: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
        """Return the answer to a form that a page of the console sends."""
        more = {"content-type": FORM, "origin": "http://127.0.0.1", "sec-fetch-site": "same-origin", **(headers or {})}
        return await self.client.post(path, content=urlencode(form), headers=more, follow_redirects=False)

    async def add(self, name: str, role: Role, password: str) -> None:
        """Make a user with a password."""
        users = self.directory.users
        secret = await users.add(name, role)
        await users.redeem(secret, name, await self.directory.passwords.hash(password))

    async def sign_in(self, name: str, password: str) -> str:
        """Sign in. Returns the secret of the cookie."""
        answer = await self.post("/console/login", {"name": name, "password": password})
        assert answer.status_code == 303, answer.text
        secret: str = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
        return secret


async def console_of(serve: Serve, served: Any = None) -> Console:
    """Return a console of a small project, or of a `served` one, whose clock stands still."""
    clock, store = ManualClock(), MemoryStore()
    client = await serve(served or project(FLOW), stranger=True, clock=clock, store=store)
    return Console(client, clock, store)


def csrf_of(page: Any) -> str:
    """Return what the forms of a page carry."""
    found = re.search(r'name="csrf" value="([\w-]+)"', page.text)
    assert found is not None
    return found[1]
