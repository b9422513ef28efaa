"""HTTP requests to a running server, for commands with `--url`."""

import asyncio
import os
from typing import IO, Any

import aiohttp
import msgspec

from cli.store import CommandError

TIMEOUT_SECONDS = 30
CHUNK_BYTES = 64 * 1024


def call(url: str, method: str, path: str, body: Any = None) -> Any:
    """Send a request with a JSON body to the server at `url`. Returns the decoded JSON of its response.

    The request carries the key in HEADRACE_ADMIN_KEY, if there is one. Raises `CommandError` for an error response and
    when there is no response.
    """
    return asyncio.run(_call(url.rstrip("/") + path, method, body))


def download(url: str, path: str, file: IO[bytes]) -> None:
    """Write the response of the server at `url` to `file`. Raises `CommandError` as `call` does."""
    asyncio.run(_download(url.rstrip("/") + path, file))


async def _download(address: str, file: IO[bytes]) -> None:
    timeout = aiohttp.ClientTimeout(total=None, sock_read=TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=_authorization()) as client,
            client.get(address, allow_redirects=False) as response,
        ):
            if not response.ok:
                raise _error_response(address, response.status, await response.read())
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                file.write(chunk)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise _no_response(address, error) from error


async def _call(address: str, method: str, body: Any) -> Any:
    headers = {"Accept": "application/json", **_authorization()}
    data = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        data = msgspec.json.encode(body)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as client,
            client.request(method, address, data=data, headers=headers, allow_redirects=False) as response,
        ):
            content = await response.read()
            if not response.ok:
                raise _error_response(address, response.status, content)
            return msgspec.json.decode(content)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise _no_response(address, error) from error


def _authorization() -> dict[str, str]:
    key = os.environ.get("HEADRACE_ADMIN_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _error_response(address: str, status: int, content: bytes) -> CommandError:
    return CommandError(f"{address} answered {status}: {_detail(content)}.")


def _no_response(address: str, error: Exception) -> CommandError:
    return CommandError(f"{address} cannot be asked: {error or type(error).__name__}.")


def _detail(content: bytes) -> str:
    """The `detail` of a problem document (RFC 9457), else the start of the response."""
    try:
        problem = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return content[:200].decode(errors="replace")
    return str(problem.get("detail", problem)) if isinstance(problem, dict) else str(problem)
