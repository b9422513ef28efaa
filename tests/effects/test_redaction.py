import base64
import html
import json
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from effects.redaction import Redaction
from engine.project.secret import Secret

SECRET = 'p@ss/word+"1 ='

SPELLINGS = {
    "as it is": SECRET,
    "in a path": quote(SECRET),
    "in a query": quote(SECRET, safe=""),
    "in a form": quote_plus(SECRET),
    "in JSON": json.dumps(SECRET)[1:-1],
    "in JSON with slashes escaped": json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    "in JSON that may stand in HTML": json.dumps(SECRET)[1:-1].replace("+", r"\u002b").replace("=", r"\u003D"),
    "in a query, by small digits": "p%40ss%2fword%2b%221+%3d",
    "in a query, with one character as it is": quote(SECRET, safe="@"),
    "in HTML": html.escape(SECRET),
    "in HTML, by numbers": SECRET.replace('"', "&#34;"),
    "in base64": base64.b64encode(SECRET.encode()).decode(),
    "in base64 for URLs": base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
@pytest.mark.parametrize("scheme", ["", "Bearer "], ids=["alone", "after a scheme"])
def test_a_secret_is_hidden_in_every_spelling(spelling: str, scheme: str) -> None:
    redaction = Redaction({"Authorization": scheme + SECRET})
    assert spelling not in redaction.text(f"before {spelling} after")
    assert spelling not in redaction.body(f"before {spelling} after")


@pytest.mark.parametrize("text", ["ann:s3cr3t-word", "s3cr3t-word", base64.b64encode(b"ann:s3cr3t-word").decode()])
def test_the_user_name_and_password_inside_basic_are_hidden(text: str) -> None:
    redaction = Redaction({"Authorization": "Basic " + base64.b64encode(b"ann:s3cr3t-word").decode()})
    assert "***" in redaction.text(text)
    assert "s3cr3t" not in redaction.text(text)


def test_a_basic_header_that_is_not_base64_is_hidden() -> None:
    assert Redaction({"Authorization": "Basic not base64!"}).text("not base64!") == "***"


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
@pytest.mark.parametrize("url", [
    pytest.param(Secret(f"https://api.example/{SECRET}/x", (SECRET,)), id="a reference in the path"),
    pytest.param(Secret(f"https://api.example/x?a={quote_plus(SECRET)}", (SECRET,)), id="a reference in the query"),
    pytest.param(f"https://api.example/x?api_key={quote_plus(SECRET)}&page=100000", id="a parameter with such a name"),
])  # fmt: skip
def test_a_secret_in_a_url_is_hidden_in_every_spelling(url: str, spelling: str) -> None:
    redaction = Redaction({}, url)
    assert spelling not in redaction.text(f"before {spelling} after")
    assert spelling not in redaction.body(f"before {spelling} after 100000")
    assert "100000" in redaction.body("page 100000 of https://api.example")


def test_a_reference_inside_a_header_is_hidden_alone_whatever_the_header_is_called() -> None:
    redaction = Redaction({"X-Client": Secret(f"id=shop; pass={SECRET}", (SECRET,))})
    assert redaction.body(f"{SECRET} of shop") == "*** of shop"


def test_short_values_hide_nothing() -> None:
    assert Redaction({"X-Key": "12345"}).text("order 12345") == "order 12345"


def test_bodies_keep_values_that_are_no_credentials() -> None:
    redaction = Redaction({"Accept": "application/json", "X-Api-Key": "k-123456"})
    assert redaction.body("application/json k-123456") == "application/json ***"


@pytest.mark.parametrize("secret", ["\\\\" * 40, "&amp;" * 20, "é😀ü" * 9, "a+ b" * 20, "\n\x00\t\r\x7f\x80"])
def test_a_secret_of_odd_characters_is_hidden_in_a_bounded_time(secret: str) -> None:
    redaction = Redaction({"X-Key": secret})
    for spelling in (secret, quote(secret), quote_plus(secret), json.dumps(secret)[1:-1], html.escape(secret)):
        assert redaction.body(f"1{spelling}2") == "1***2"
    start = time.process_time()
    for almost in (secret[:-1], json.dumps(secret[:-1])[1:-1], html.escape(secret[:-1])):
        redaction.body(f"1{almost}2" * 1000)
    assert time.process_time() - start < 1


def test_without_headers_nothing_changes() -> None:
    assert Redaction({}).text("as it is") == "as it is"
    assert Redaction({}).body("as it is") == "as it is"


@given(st.text('abc+/="\\ ', min_size=6), st.text("0123"), st.text("0123"))
def test_only_the_secret_is_replaced(secret: str, before: str, after: str) -> None:
    assert Redaction({"X-Key": secret}).text(before + secret + after) == f"{before}***{after}"
