"""`headrace user` and `headrace access key`: users and access keys, of a running server or in its store."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from api.access.access_keys import Keys
from api.access.accounts import Refused
from api.access.administration import Administration
from api.access.audit import AuditLog
from api.access.principal import Principal
from api.access.role import Role
from api.access.users import LINK_MS, Users
from api.accounts import SETUP, listed_key, listed_user
from cli.call import call
from cli.document import write_document
from cli.location import LEAVE_TO_SERVER, DataLocation, project_and_store
from cli.store import CommandError, exclusive_access, opened_store, report_error, store_kind
from effects.clock import SystemClock

Document = Any


class Place(Struct, frozen=True):
    """Where a command looks and prints."""

    location: DataLocation
    json: bool
    console: Console
    error: Console


class InStore(Struct, frozen=True):
    """The users and keys of a store that the command has to itself."""

    users: Users
    keys: Keys
    changes: Administration


def list_users(place: Place) -> int:
    """Print the users. Returns the exit code."""

    async def read(stored: InStore) -> Document:
        return [msgspec.to_builtins(listed_user(user)) for user in await stored.users.all()]

    return _run(place, "GET", "/access/users", None, read, _show_users)


def add_user(place: Place, name: str, role: Role) -> int:
    """Make a user, and print the link that sets the password."""

    async def add(stored: InStore) -> Document:
        return {"link": SETUP + await stored.changes.add_user(name.strip().lower(), role)}

    return _run(place, "POST", "/access/users", {"name": name, "role": role}, add, _show_link)


def remove_user(place: Place, name: str) -> int:
    """Remove a user."""

    async def remove(stored: InStore) -> Document:
        await stored.changes.remove_user(name)
        return {"done": name}

    return _run(place, "POST", f"/access/users/{quote(name, safe='')}/remove", {}, remove, _said("is removed"))


def give_role(place: Place, name: str, role: Role) -> int:
    """Change the role of a user."""

    async def give(stored: InStore) -> Document:
        await stored.changes.give_role(name, role)
        return {"done": name}

    path = f"/access/users/{quote(name, safe='')}/role"
    return _run(place, "POST", path, {"role": role}, give, _said(f"is {role} now"))


def reset_user(place: Place, name: str) -> int:
    """Void the password of a user, and print the link that sets a new one."""

    async def reset(stored: InStore) -> Document:
        return {"link": SETUP + await stored.changes.reset(name)}

    return _run(place, "POST", f"/access/users/{quote(name, safe='')}/reset", {}, reset, _show_link)


def list_keys(place: Place) -> int:
    """Print the access keys, without the keys themselves."""

    async def read(stored: InStore) -> Document:
        return [msgspec.to_builtins(listed_key(key)) for key in await stored.keys.all()]

    return _run(place, "GET", "/access/keys", None, read, _show_keys)


def add_key(place: Place, name: str, role: Role, *, personal: bool) -> int:
    """Make an access key, and print it alone on standard output."""

    async def add(stored: InStore) -> Document:
        return {"key": await stored.changes.add_key(name.strip().lower(), role, personal=personal)}

    body = {"name": name, "role": role, "personal": personal}
    return _run(place, "POST", "/access/keys", body, add, _show_key)


def remove_key(place: Place, name: str) -> int:
    """Revoke an access key."""

    async def remove(stored: InStore) -> Document:
        await stored.changes.remove_key(name)
        return {"done": name}

    return _run(place, "POST", f"/access/keys/{quote(name, safe='')}/remove", {}, remove, _said("is revoked"))


def _run(
    place: Place,
    method: str,
    path: str,
    body: Document,
    work: Callable[[InStore], Awaitable[Document]],
    show: Callable[[Place, Document], None],
) -> int:
    """Ask the server, or work on the store. Exit code 1: the change was not made; 2: it could not be tried."""
    try:
        server = place.location.server()
        document = call(server, method, path, body) if server is not None else _on_store(place, work)
    except Refused as refused:
        report_error(place.error, f"{str(refused)[0].upper()}{str(refused)[1:]}.")
        return 1
    except CommandError as failure:
        return report_error(place.error, str(failure))
    if place.json:
        write_document(document)
    else:
        show(place, document)
    return 0


def _on_store(place: Place, work: Callable[[InStore], Awaitable[Document]]) -> Document:
    _, url = project_and_store(place.location, place.error)

    async def run() -> Document:
        async with opened_store(url, place.location.root) as store:
            clock = SystemClock()
            users, keys = Users(store, clock), Keys(store, clock)
            by = Principal(getpass.getuser(), "admin", "command")
            return await work(InStore(users, keys, Administration(users, keys, AuditLog(store, clock, logs=False), by)))

    alone = store_kind(url) == "sqlite"
    with exclusive_access(url, place.location.root, LEAVE_TO_SERVER) if alone else nullcontext():
        return asyncio.run(run())


# ---- printing -------------------------------------------------------------------------------------------------------


def _show_users(place: Place, users: Document) -> None:
    table = Table("name", "role", "password", "since", box=None, header_style="bold", pad_edge=False)
    now = SystemClock().now()
    for user in users:
        invited = user["invited"] is not None and now < user["invited"]
        password = "set" if user["has_password"] else "link sent" if invited else "none: reset it"
        table.add_row(user["name"], user["role"], password, _day(user["created"]))
    place.console.print(table) if users else place.error.print("There is no user yet: say `headrace user add NAME`.")


def _show_keys(place: Place, keys: Document) -> None:
    table = Table("name", "role", "personal data", "made by", "since", "last used", box=None, pad_edge=False)
    for key in keys:
        personal, used = "shown" if key["personal"] else "masked", _day(key["used"]) if key["used"] else "never"
        table.add_row(key["name"], key["role"], personal, key["by"], _day(key["created"]), used)
    place.console.print(table) if keys else place.error.print("There is no access key.")


def _show_link(place: Place, made: Document) -> None:
    url = place.location.url or "http://127.0.0.1:8686"
    hours = LINK_MS // 3_600_000
    place.error.print(
        f"This link sets the password, once, within {hours} hours; it is not shown again:", soft_wrap=True
    )
    _print(place.console, f"{url.rstrip('/')}{made['link']}")


def _show_key(place: Place, made: Document) -> None:
    place.error.print("This is the access key; it is not shown again:", soft_wrap=True)
    _print(place.console, made["key"])


def _said(what: str) -> Callable[[Place, Document], None]:
    return lambda place, done: _print(place.console, f"{done['done']} {what}.")


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _day(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M}"
