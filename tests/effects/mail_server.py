"""A real mail server on a port that the system picks, for tests."""

import asyncio
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session


class MailServer:
    """Keeps the mails that arrive. `answer` is its reply to the data of each; `hang` lets it never reply.

    `refusal` is its reply to each recipient, unless it is empty.
    """

    def __init__(self, **options: Any) -> None:
        self.answer = "250 ok"
        self.refusal = ""
        self.hang = False
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []  # of each mail
        self.encrypted: list[bool] = []
        self.url = ""
        self._options = options
        self._server: asyncio.Server | None = None

    async def handle_RCPT(  # noqa: N802 - its name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take or refuse a recipient."""
        if not self.refusal:
            envelope.rcpt_tos.append(address)
        return self.refusal or "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        """Keep a mail."""
        mail = message_from_bytes(envelope.original_content or b"", policy=default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients.append(envelope.rcpt_tos)
        self.encrypted.append(session.ssl is not None)
        if self.hang:
            await asyncio.Event().wait()
        return self.answer

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, enable_SMTPUTF8=True, loop=loop, hostname="mail.example", **self._options),
            "127.0.0.1",
            0,
        )
        host, port = self._server.sockets[0].getsockname()
        self.url = f"smtp://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
