"""What tests do to a server beside the store: look at indices, take them away."""

import json
from pathlib import Path
from typing import Any

import aiohttp


async def asked(server: str, method: str, path: str, *bodies: object) -> Any:
    """What the server answers; several bodies are a line each."""
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
    """Take away all that a prefix has."""
    indices = await indices_of(server, prefix)
    if indices:
        await asked(server, "DELETE", f"/{','.join(indices)}")
    await asked(server, "DELETE", f"/_index_template/{prefix}-*")
