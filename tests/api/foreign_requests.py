"""The stored documents of a server that took requests of foreign protocols, for tests."""

from typing import Any

from httpx import AsyncClient

from tests.api.conftest import ADMIN_KEY

ADMIN = {"authorization": f"Bearer {ADMIN_KEY}"}


async def stored(client: AsyncClient, kind: str = "events") -> list[dict[str, Any]]:
    """The stored documents of a kind, oldest first."""
    found: list[dict[str, Any]] = (await client.get(f"/search/{kind}?limit=100", headers=ADMIN)).json()["items"]
    return found[::-1]


async def profiles_by_type(client: AsyncClient) -> dict[str, str]:
    """The id of the profile to which the events of a type belong now, by type."""
    found = {event["type"]: event["profile"] for event in await stored(client)}
    return {type: (await client.get(f"/profiles/{id}", headers=ADMIN)).json()["id"] for type, id in found.items()}
