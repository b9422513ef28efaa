"""Requests that tests send to an Elasticsearch server beside the store: to inspect indices, and to delete them."""

import json
from pathlib import Path
from typing import Any

import aiohttp


async def asked(server: str, method: str, path: str, *bodies: object) -> Any:
    """Send a request and return the decoded answer; several bodies are sent as one line each."""
    data = "".join([f"{json.dumps(body)}\n" for body in bodies]) or None
    headers = {"content-type": "application/x-ndjson" if len(bodies) > 1 else "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{server}{path}", data=data, headers=headers) as response,
    ):
        return json.loads(await response.read() or b"null")


async def indices_of(server: str, prefix: str) -> list[str]:
    """The names of a prefix's indices."""
    rows = await asked(server, "GET", f"/_cat/indices/{prefix}-*?format=json&h=index")
    return sorted(row["index"] for row in rows)


def is_segment(file: str) -> bool:
    """Whether a server's file is part of an index, as opposed to the log of operations, which is trimmed anyway."""
    return Path(file).parent.name == "index"


async def dropped(server: str, prefix: str) -> None:
    """Delete the indices and templates of a prefix."""
    indices = await indices_of(server, prefix)
    if indices:
        await asked(server, "DELETE", f"/{','.join(indices)}")
    await asked(server, "DELETE", f"/_index_template/{prefix}-*")
