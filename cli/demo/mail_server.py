"""A mail server that delivers nothing: it takes the mails of the demo's shop and keeps them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

MAX_MAIL = 1_048_576

MAIL_PORT = 18725  # the one that the starter's headrace.yaml names


class MailServer:
    """Speaks as much SMTP as a client needs to hand in a mail. `mails` are those that it has taken, oldest first."""

    def __init__(self, arrived: asyncio.Event) -> None:
        self.mails: list[EmailMessage] = []
        self._arrived = arrived  # set by each

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the commands of one client until it leaves."""
        try:
            writer.write(b"220 demo ESMTP\r\n")
            while line := await reader.readline():
                command = line.decode("ascii", "replace").strip().partition(" ")[0].upper()
                writer.write(f"{await self._answer(command, reader, writer)}\r\n".encode())
                await writer.drain()
                if command == "QUIT":
                    break
        except (ConnectionError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client has left, or sends lines that are too long
        finally:
            writer.close()

    async def _answer(self, command: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        match command:
            case "EHLO" | "HELO" | "MAIL" | "RCPT" | "RSET" | "NOOP":
                return "250 OK"
            case "QUIT":
                return "221 Bye"
            case "DATA":
                writer.write(b"354 End with a line of one dot\r\n")
                await writer.drain()
                text = await reader.readuntil(b"\r\n.\r\n")
                mail = message_from_bytes(text[:-3].replace(b"\r\n..", b"\r\n."), policy=default)
                assert isinstance(mail, EmailMessage)  # noqa: S101  # of this policy
                self.mails.append(mail)
                self._arrived.set()
                return "250 OK"
            case _:
                return "502 Not here"


@asynccontextmanager
async def mail_server(arrived: asyncio.Event, port: int = 0) -> AsyncIterator[tuple[MailServer, str]]:
    """Run a mail server on loopback, by default on a free port; yields it and its address."""
    keeper = MailServer(arrived)
    server = await asyncio.start_server(keeper.serve, "127.0.0.1", port, limit=MAX_MAIL)
    async with server:
        yield keeper, f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
