from typing import Any

import pytest

from engine.flow.effect import Deliver
from engine.flow.message import MailMessage
from nodes.deliver.email import DeliverEmail
from tests.nodes.build import node_context
from tests.nodes.example import node_of

MAIL: dict[str, Any] = {"target": "mail", "to": "ada@x.example", "subject": "Hello", "text": "Hi"}


def test_it_delivers_a_mail():
    node = DeliverEmail(**MAIL | {"to": " ada@x.example ", "html": "<p>Hi</p>", "reply_to": "Shop <help@x.example>"})
    expected = MailMessage("ada@x.example", "Hello", "Hi", "<p>Hi</p>", "", "Shop <help@x.example>")
    assert node.run(node_context()).effects == (Deliver("mail", expected),)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        pytest.param("to", "", "`to` is empty", id="nobody"),
        pytest.param("to", "ada", "`to` is no mail address", id="no address"),
        pytest.param("to", "a@x.example\r\nBcc: b@x.example", "`to` has a line break", id="a header by the recipient"),
        pytest.param("to", "a@x.example, b@x.example", "`to` is no mail address", id="two recipients"),
        pytest.param("sender", "shop", "`sender` is no mail address", id="a bad sender"),
        pytest.param(
            "reply_to", "a@x.example\nX: y", "`reply_to` has a line break", id="a header by the reply address"
        ),
        pytest.param("subject", "Hi\nBcc: b@x.example", "`subject` is a line", id="a header by the subject"),
        pytest.param("subject", "=?utf-8?q?=0ABcc:_b@x.example?=", "encoded word", id="a header by an encoded subject"),
        pytest.param("subject", " ", "`subject` is a line", id="no subject"),
        pytest.param("subject", "a" * 501, "`subject` is a line", id="a long subject"),
        pytest.param("text", " \n", "`text` is empty", id="no text"),
    ],
)
def test_a_mail_that_cannot_be_sent_safely_leaves_by_failed(field, value, reason):
    outcome = DeliverEmail(**MAIL | {field: value}).run(node_context())
    assert (outcome.port, outcome.effects) == ("failed", ())
    assert reason in outcome.reason


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>{{ event.properties.brand }} & co</p>", "<p>Mill &amp; Co & co</p>"),
        ("{{ event.properties.brand }}", "Mill & Co"),
        ("$.event.properties.brand", "Mill & Co"),
    ],
)
def test_values_within_html_are_escaped(html, expected):
    node = node_of(f"m: {{deliver.email: {{target: mail, to: a@x.example, subject: s, text: t, html: '{html}'}}}}")
    assert isinstance(node, DeliverEmail)
    assert node.html == expected
