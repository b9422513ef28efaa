"""Calling a running server: what a command asks of it by HTTP."""

import asyncio
import os
from typing import IO, Any

import aiohttp
import msgspec

from cli.store import CannotStart

SECONDS = 30
PIECE = 64 * 1024


def call(url: str, method: str, path: str, body: Any = None) -> Any:
    """What the server at `url` answers, as data. The key is that of HEADRACE_ADMIN_KEY. Raises `CannotStart`."""
    return asyncio.run(_call(url.rstrip("/") + path, method, body))


def download(url: str, path: str, file: IO[bytes]) -> None:
    """Write what the server at `url` answers to a file. Raises `CannotStart`."""
    asyncio.run(_download(url.rstrip("/") + path, file))


async def _download(address: str, file: IO[bytes]) -> None:
    timeout = aiohttp.ClientTimeout(total=None, sock_read=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=_key()) as client,
            client.get(address, allow_redirects=False) as answer,
        ):
            if not answer.ok:
                raise CannotStart(f"{address} answered {answer.status}: {_detail(await answer.read())}.")
            async for piece in answer.content.iter_chunked(PIECE):
                file.write(piece)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CannotStart(f"{address} cannot be asked: {error or type(error).__name__}.") from error


def _key() -> dict[str, str]:
    key = os.environ.get("HEADRACE_ADMIN_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}


async def _call(address: str, method: str, body: Any) -> Any:
    headers = {"Accept": "application/json", **_key()}
    data = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        data = msgspec.json.encode(body)
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as client,
            client.request(method, address, data=data, headers=headers, allow_redirects=False) as answer,
        ):
            given = await answer.read()
            if not answer.ok:
                raise CannotStart(f"{address} answered {answer.status}: {_detail(given)}.")
            return msgspec.json.decode(given)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise CannotStart(f"{address} cannot be asked: {error or type(error).__name__}.") from error


def _detail(given: bytes) -> str:
    try:
        problem = msgspec.json.decode(given)
    except msgspec.DecodeError:
        return given[:200].decode(errors="replace")
    return str(problem.get("detail", problem)) if isinstance(problem, dict) else str(problem)
