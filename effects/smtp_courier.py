"""Deliveries by e-mail: each attempt is one conversation with the target's mail server (SMTP).

The Message-ID is the delivery's id, the same at every attempt, so servers and mailboxes can recognise a repetition. The
connection is encrypted: from its beginning (`smtps://`), else by STARTTLS, which a public server must offer and a
private one may. The server's name is resolved once, its addresses are guarded as those of look-ups are, and the
connection goes to a checked one. A connection that is lost after the message was sent leaves open whether it arrived:
it is sent again.
"""

import asyncio
import socket
from datetime import UTC, datetime
from email.errors import HeaderParseError, MessageError
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from typing import Final
from urllib.parse import urlsplit

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)
from msgspec import Struct, structs

from effects.address import ForbiddenAddress, check_addresses
from effects.clock import SystemClock
from effects.redaction import Redaction
from engine.flow.mail_address import address_defect, ascii_address
from engine.flow.message import MailMessage
from engine.ports.courier import DeliveryResult
from engine.ports.outbox import StoredDelivery
from engine.ports.world import Clock
from engine.project.source import Target
from engine.project.target_limits import timeout_ms
from engine.sending.answers import impossible, no_answer, smtp_verdict

PORTS: Final = {"smtp": 587, "smtps": 465}
ABOUT_THE_MESSAGE: Final = (SMTPSenderRefused, SMTPRecipientRefused, SMTPDataError)
CLOSING: Final = 421  # the server takes no mail at all for now
REASON_CHARACTERS: Final = 200


class _Server(Struct, frozen=True):
    host: str
    port: int
    encrypted: bool  # from the beginning


class _Unusable(Exception):
    """A mail that can never be sent as it is."""


class SmtpCourier:
    """Sends `MailMessage` to targets that are mail servers."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock: Clock = clock or SystemClock()

    async def send(self, delivery: StoredDelivery, target: Target) -> DeliveryResult:
        """Make one attempt, within the target's timeout. See `Courier`."""
        started = self._clock.ticks()
        seconds = timeout_ms(target) / 1000
        try:
            mail = mail_of(delivery, target)
        except _Unusable as unusable:
            return impossible(str(unusable))
        try:
            async with asyncio.timeout(seconds):
                result = await self._converse(mail, target)
        except TimeoutError:
            result = no_answer(f"no answer within {seconds:g} s")
        except ForbiddenAddress as forbidden:
            result = no_answer(str(forbidden))
        except (SMTPException, OSError, ValueError) as error:
            result = _failed(error)
        user, password = target.user or "", target.password or ""
        secrets = {"user": user, "password": password, "login": f"\0{user}\0{password}"}  # as AUTH PLAIN sends them
        reason = Redaction(secrets, target.url).text(result.reason)
        return structs.replace(result, reason=reason, took_ms=round((self._clock.ticks() - started) * 1000))

    async def _converse(self, mail: EmailMessage, target: Target) -> DeliveryResult:
        server = _server(target)
        sock = await _connected(server, private=target.private)
        client = SMTP(
            hostname=server.host,
            sock=sock,
            username=target.user,
            password=target.password,
            local_hostname=_domain(str(mail["From"])),
            timeout=None,  # the attempt's covers all steps
            use_tls=server.encrypted,
            start_tls=None if server.encrypted or target.private else True,
            validate_certs=not target.private,
        )
        try:
            await client.connect()
            await client.send_message(mail)
        finally:
            if client.transport is None:
                sock.close()
            client.close()
        return DeliveryResult("sent", status=250)


def mail_of(delivery: StoredDelivery, target: Target) -> EmailMessage:
    """Return the mail of a delivery: the same at every attempt. Raises `_Unusable`."""
    message = delivery.message
    if not isinstance(message, MailMessage):
        raise _Unusable(f"the target {delivery.target} is a mail server, and this is no mail")
    sender = message.sender or target.sender
    if not sender:
        raise _Unusable(f"neither the node nor the target {delivery.target} names a sender")
    for name, text in (("to", message.to), ("sender", sender), ("reply_to", message.reply_to)):
        if (text or name != "reply_to") and (defect := address_defect(text)):
            raise _Unusable(f"`{name}` {defect}")
    mail = EmailMessage(policy=SMTP_POLICY)
    try:
        mail["From"], mail["To"], mail["Subject"] = ascii_address(sender), ascii_address(message.to), message.subject
        if message.reply_to:
            mail["Reply-To"] = ascii_address(message.reply_to)
        mail["Date"] = format_datetime(datetime.fromtimestamp(delivery.at / 1000, UTC))
        mail["Message-ID"] = f"<{delivery.id}@{_domain(sender)}>"
        if message.text or not message.html:
            mail.set_content(message.text)
            if message.html:
                mail.add_alternative(message.html, subtype="html")
        else:
            mail.set_content(message.html, subtype="html")
        _check_headers(mail)
        mail.as_bytes()
    except (ValueError, MessageError, HeaderParseError) as wrong:
        raise _Unusable("a header of the mail holds a line break or a character that headers cannot carry") from wrong
    return mail


def _check_headers(mail: EmailMessage) -> None:
    """Raise `ValueError` for a header that would become several, since `EmailMessage` decodes encoded words in it."""
    for name, value in mail.items():
        if not str(value).isprintable():
            raise ValueError(f"the header {name} has a character that is not printable")


def _domain(sender: str) -> str:
    domain = parseaddr(sender)[1].rpartition("@")[2]
    return domain.encode("idna").decode() if not domain.isascii() else domain


def _server(target: Target) -> _Server:
    url = urlsplit(target.url)
    return _Server(url.hostname or "", url.port or PORTS[url.scheme], url.scheme == "smtps")


async def _connected(server: _Server, *, private: bool) -> socket.socket:
    """Return a socket that is connected to the server. Raises `ForbiddenAddress` and `OSError`."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
    if not private:
        check_addresses(str(address[0]) for *_, address in found)
    failure: OSError | None = None
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure or OSError("the host has no address")


def _failed(error: Exception) -> DeliveryResult:
    """Return the result of a conversation that failed."""
    if isinstance(error, SMTPRecipientsRefused):
        error = error.recipients[0]
    if isinstance(error, SMTPNotSupported):
        return impossible("the server takes no addresses with characters beyond ASCII")
    if isinstance(error, SMTPResponseException):
        said = " ".join("".join(c if c.isprintable() else " " for c in error.message).split())[:REASON_CHARACTERS]
        reason = f"the server answered {error.code}: {said}"
        verdict, health = smtp_verdict(error.code)
        if isinstance(error, SMTPAuthenticationError):
            return DeliveryResult("again", error.code, reason, health="refuses" if error.code >= 500 else "fails")
        if verdict != "again" and not isinstance(error, ABOUT_THE_MESSAGE):
            verdict, health = "again", "fails"
        if health == "fails" and isinstance(error, SMTPRecipientRefused) and error.code != CLOSING:
            health = "works"  # visitors choose recipients: they must not be able to stop the mails to others
        return DeliveryResult(verdict, error.code, reason, health=health)
    if isinstance(error, SMTPException):
        return no_answer(str(error.message)[:REASON_CHARACTERS])
    if isinstance(error, socket.gaierror):
        return no_answer("the host's name cannot be resolved")
    return no_answer(f"no connection: {type(error).__name__}")
