"""Targets that do what no target should, as a process of its own: `python -m tests.system.hostile_targets`.

It writes the port of each behaviour as JSON, then, whenever a line comes in, how many connections `private` has had.
Some of the others try to lead the server there.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable

import msgspec

GIB = 1 << 30
CHUNK = b"x" * 65_536

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Never answer."""
    await reader.read()


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a byte each second, of an answer that would be fine."""
    for byte in b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(1)


async def huge(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a gibibyte, without telling its length."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n")
    for _ in range(GIB // len(CHUNK)):
        writer.write(CHUNK)
        await writer.drain()


async def announced(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say that a gibibyte comes, and begin to send it."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % GIB)
    for _ in range(GIB // len(CHUNK)):
        writer.write(CHUNK)
        await writer.drain()


async def broken(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send what is not the JSON that it says it is."""
    body = b'{"tier": '
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    writer.write(head % len(body) + body)


def redirect(port: int) -> Behaviour:
    """Redirect to another name of this machine."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = "HTTP/1.1 302 Found\r\nLocation: http://localhost:{}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        writer.write(head.format(port).encode())

    return answer


class Private:
    """A service inside that no look-up may reach; it counts its connections."""

    def __init__(self) -> None:
        self.connections = 0

    async def answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count a connection, and answer."""
        self.connections += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret")


async def serve(behaviour: Behaviour, *, waits: bool = True) -> int:
    """Serve a behaviour on a free port, which is returned. `waits`: for the head of a request before it answers."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if waits:
                await reader.readuntil(b"\r\n\r\n")
            await behaviour(reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    return port


async def main() -> None:
    """Serve until the standard input ends."""
    private = Private()
    ports = {behaviour.__name__: await serve(behaviour) for behaviour in (hang, drip, huge, announced, broken)}
    ports["private"] = await serve(private.answer, waits=False)
    ports["redirect"] = await serve(redirect(ports["private"]))
    ports["redirect-usual"] = await serve(redirect(80))
    say(msgspec.json.encode(ports).decode())
    while await asyncio.to_thread(sys.stdin.readline):
        say(str(private.connections))


def say(line: str) -> None:
    """Write a line to the process that has started this one."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
