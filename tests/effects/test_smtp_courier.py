"""Deliveries by e-mail to a real mail server."""

import base64
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult

from effects.smtp_courier import SmtpCourier
from engine.flow.message import MailMessage
from engine.ports.courier import DeliveryResult
from engine.project.source import Target
from tests.effects.mail_server import MailServer
from tests.engine.sending.samples import sample

MAIL = MailMessage(to="ann@example.com", subject="Hi", text="Hello")


async def send(server: MailServer | str, mail: MailMessage = MAIL, **more: Any) -> DeliveryResult:
    """Make one attempt."""
    url = server if isinstance(server, str) else server.url
    target = Target(**{"url": url, "private": True, "sender": "Shop <shop@shop.example>", "timeout": "2s", **more})
    return await SmtpCourier().send(sample(message=mail), target)


async def test_a_mail_has_its_parts_in_utf_8_and_the_deliverys_id() -> None:
    mail = MailMessage("Ännchen <ann@example.com>", "Grüße ☀", "Hallö", "<p>Hallö</p>", reply_to="help@shop.example")
    async with MailServer() as server:
        result = await send(server, mail)
        assert (result.verdict, result.status) == ("sent", 250)
        (came,) = server.mails
    assert (came["From"], came["To"]) == ("Shop <shop@shop.example>", "Ännchen <ann@example.com>")
    assert (came["Subject"], came["Reply-To"]) == ("Grüße ☀", "help@shop.example")
    assert came["Message-ID"] == "<d1@shop.example>"
    assert came["Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"
    text, html = came.get_body(("plain",)), came.get_body(("html",))
    assert text is not None
    assert html is not None
    assert (text.get_content().strip(), html.get_content().strip()) == ("Hallö", "<p>Hallö</p>")


@pytest.mark.parametrize(
    "name", ["b@x.example, Ada", "b@x.example,", "all: b@x.example;", '"Ü" , b@x.example, ""', "\\"]
)
async def test_a_mail_goes_to_one_recipient_whatever_her_name_is(name: str) -> None:
    async with MailServer() as server:
        result = await send(server, MailMessage(f"{name} <ann@example.com>", "Hi", "Hello"))
        assert (result.verdict, result.reason) == ("sent", "")
    assert server.recipients == [["ann@example.com"]]
    assert [address.addr_spec for address in server.mails[0]["To"].addresses] == ["ann@example.com"]


async def test_a_subject_adds_no_header() -> None:
    async with MailServer() as server:
        result = await send(server, MailMessage("ann@example.com", "=?utf-8?q?Hi=0D=0ABcc:_b@x.example?=", "Hello"))
        assert server.mails == []
    assert (result.verdict, "a header of the mail" in result.reason) == ("dead", True)


async def test_every_attempt_sends_the_same_mail() -> None:
    async with MailServer() as server:
        for _ in range(2):
            await send(server)
        first, second = [dict(mail.items()) for mail in server.mails]
    assert first == second


@pytest.mark.parametrize(
    ("answer", "verdict", "health"),
    [
        ("451 try later", "again", "fails"),
        ("550 no such mailbox", "dead", "works"),
        ("552 too large", "dead", "works"),
        ("421 closing", "again", "fails"),
    ],
)
async def test_the_answer_to_the_mail_decides(answer: str, verdict: str, health: str) -> None:
    async with MailServer() as server:
        server.answer = answer
        result = await send(server)
    assert (result.verdict, result.health) == (verdict, health)
    assert result.reason.startswith(f"the server answered {answer[:3]}")


@pytest.mark.parametrize(
    ("answer", "verdict", "health"),
    [
        ("450 4.1.2 domain not found", "again", "works"),
        ("452 mailbox full", "again", "works"),
        ("421 closing", "again", "fails"),
        ("550 no such mailbox", "dead", "works"),
        ("530 log in", "again", "refuses"),
    ],
)
async def test_a_recipient_that_is_refused_does_not_stop_mails_to_others(
    answer: str, verdict: str, health: str
) -> None:
    async with MailServer() as server:
        server.refusal = answer
        result = await send(server)
    assert (result.verdict, result.health) == (verdict, health)


async def test_a_server_that_hangs_after_the_mail_is_asked_again() -> None:
    async with MailServer() as server:
        server.hang = True
        result = await send(server, timeout="200ms")
        assert len(server.mails) == 1
    assert (result.verdict, result.reason) == ("again", "no answer within 0.2 s")


async def test_a_server_that_is_not_there_is_asked_again() -> None:
    result = await send("smtp://127.0.0.1:9")
    assert (result.verdict, result.health) == ("again", "fails")


async def test_a_public_target_does_not_lead_to_a_private_address() -> None:
    async with MailServer() as server:
        result = await send(server, private=False)
    assert result.verdict == "again"
    assert "only a target that says `private: true`" in result.reason


async def test_credentials_that_the_server_cannot_take_stop_the_target() -> None:
    async with MailServer() as server:
        result = await send(server, user="shop", password="t0p-secret")
    assert result.verdict == "again"
    assert "t0p-secret" not in result.reason


async def test_credentials_that_the_server_repeats_are_hidden() -> None:
    sent = base64.b64encode(b"\0shop\0t0p-secret").decode()
    refused = AuthResult(success=False, handled=False, message=f"504 bad command AUTH PLAIN {sent}")
    options = {"authenticator": lambda *_: refused, "auth_require_tls": False, "auth_exclude_mechanism": ["LOGIN"]}
    async with MailServer(**options) as server:
        result = await send(server, user="shop", password="t0p-secret")
    assert result.reason.rstrip("=") == "the server answered 504: bad command AUTH PLAIN ***"


@pytest.mark.parametrize(
    "mail",
    [
        MailMessage("ann", "Hi", "x"),
        MailMessage("a b@example.com", "Hi", "x"),
        MailMessage("ann@example.com", "Hi\r\nBcc: eve@example.com", "x"),
        MailMessage("ann@example.com", "Hi", "x", sender="nonsense"),
        MailMessage("ann@example.com\r\nBcc: eve@example.com", "Hi", "x"),
    ],
)
async def test_a_mail_that_is_not_safe_is_dead(mail: MailMessage) -> None:
    async with MailServer() as server:
        result = await send(server, mail)
        assert server.mails == []
    assert (result.verdict, result.health) == ("dead", "unknown")


async def test_a_mail_without_a_sender_is_dead() -> None:
    result = await send("smtp://127.0.0.1:9", sender=None)
    assert result.verdict == "dead"
    assert "names a sender" in result.reason
