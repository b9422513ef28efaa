"""HTTP requests to a running server, for commands with `--url`."""

import asyncio
from typing import IO, Any

import aiohttp
import msgspec
from msgspec import Struct
from yarl import URL

from cli.store import CommandError

TIMEOUT_SECONDS = 30
CHUNK_BYTES = 64 * 1024
KEY_SENT = (
    "This command sends the key of --key, else of HEADRACE_ADMIN_KEY, else of the directory that --project names; the "
    "last of these only to a server on this machine."
)


class RemoteServer(Struct, frozen=True):
    """The address of a running server, and the admin key that requests to it carry."""

    url: str
    key: str | None

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Accept": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})


def call(server: RemoteServer, method: str, path: str, body: Any = None) -> Any:
    """Send a request with a JSON body to the server. Returns the decoded JSON of its response.

    Raises `CommandError` for an error response and when there is no response.
    """
    return asyncio.run(_call(_address(server.url, path), server.headers, method, body))


def download(server: RemoteServer, path: str, file: IO[bytes]) -> None:
    """Write the response of the server to `file`. Raises `CommandError` as `call` does."""
    asyncio.run(_download(_address(server.url, path), server.headers, file))


def _address(url: str, path: str) -> URL:
    """The address of an encoded path, which is sent as it is: an id may be `..`, which means the parent elsewhere."""
    return URL(str(URL(url)).rstrip("/") + path, encoded=True)


async def _download(address: URL, headers: dict[str, str], file: IO[bytes]) -> None:
    timeout = aiohttp.ClientTimeout(total=None, sock_read=TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as client,
            client.get(address, allow_redirects=False) as response,
        ):
            if not response.ok:
                raise _error_response(address, response.status, await response.read())
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                file.write(chunk)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise _no_response(address, error) from error


async def _call(address: URL, headers: dict[str, str], method: str, body: Any) -> Any:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        return await _answer(client, address, headers, method, body)


async def request_json(client: aiohttp.ClientSession, server: RemoteServer, method: str, path: str, body: Any) -> Any:
    """Do what `call` does, on a client that is kept for other requests."""
    return await _answer(client, _address(server.url, path), server.headers, method, body)


async def _answer(client: aiohttp.ClientSession, address: URL, headers: dict[str, str], method: str, body: Any) -> Any:
    data = None
    if body is not None:
        headers = {**headers, "Content-Type": "application/json"}
        data = msgspec.json.encode(body)
    try:
        async with client.request(method, address, data=data, headers=headers, allow_redirects=False) as response:
            content = await response.read()
            if not response.ok:
                raise _error_response(address, response.status, content)
            return msgspec.json.decode(content)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise _no_response(address, error) from error


def _error_response(address: URL, status: int, content: bytes) -> CommandError:
    remedy = f" {KEY_SENT}" if status == 401 else ""
    return CommandError(f"{address} answered {status}: {_detail(content)}.{remedy}")


def _no_response(address: URL, error: Exception) -> CommandError:
    return CommandError(f"{address} cannot be asked: {error or type(error).__name__}.")


def _detail(content: bytes) -> str:
    """The `detail` of a problem document (RFC 9457), else the start of the response."""
    try:
        problem = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return content[:200].decode(errors="replace")
    return str(problem.get("detail", problem)) if isinstance(problem, dict) else str(problem)
