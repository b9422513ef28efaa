"""Calls: how a trace lists an ask and its reply, short and without secrets."""

import pytest
from msgspec import json

from engine.flow.ask import (
    Ask,
    CacheGet,
    CacheReply,
    HttpAsk,
    HttpReply,
    NoAnswer,
    ProfileById,
    ProfileByKey,
    ProfileReply,
    Reply,
    SessionById,
    SessionReply,
)
from engine.flow.trace_calls import trace_call
from tests.engine.flow.build import stored_profile

HTTP = HttpAsk(
    "crm", "POST", "/customers", {"q": 1}, {"Authorization": "Bearer abc-secret"}, {"password": "abc-secret"}
)
KEY = ProfileByKey("pii.email", "ann@example.com")


@pytest.mark.parametrize(
    ("ask", "reply", "expected"),
    [
        (
            HTTP,
            HttpReply(200, {}, "https://crm.example/customers?q=1", 12),
            ("http", "POST https://crm.example/customers?q=1", "200"),
        ),
        (HTTP, HttpReply(404), ("http", "POST crm:/customers", "404")),
        (HTTP, HttpReply(404, age_ms=0), ("http", "POST crm:/customers", "404, an answer of 0ms ago")),
        (
            HTTP,
            HttpReply(200, age_ms=7_200_300, stale="it took too long"),
            ("http", "POST crm:/customers", "200, an answer of 2h ago, as there is no newer one: it took too long"),
        ),
        (HTTP, NoAnswer("timeout", "it took too long"), ("http", "POST crm:/customers", "no answer: it took too long")),
        (ProfileById("p-1"), ProfileReply(stored_profile("p-2")), ("profile", "by id p-1", "profile p-2")),
        (ProfileById("p-1"), ProfileReply(None), ("profile", "by id p-1", "no profile")),
        (KEY, ProfileReply(None), ("profile", "by pii.email", "no profile")),
        (CacheGet("k"), CacheReply(True, None), ("cache", "k", "hit")),
        (CacheGet("k"), CacheReply(False), ("cache", "k", "miss")),
        (SessionById("s-1"), SessionReply({"id": "s-1"}, 3), ("session", "by id s-1", "found")),
        (SessionById("s-1"), SessionReply({"id": "s-1"}), ("session", "by id s-1", "new")),
        (SessionById("s-1"), SessionReply(None), ("session", "by id s-1", "none")),
    ],
)
def test_a_call_has_the_ask_and_the_reply(ask: Ask, reply: Reply, expected: tuple[str, str, str]):
    call = trace_call(ask, reply, 2)
    assert (call.kind, call.what, call.got, call.attempt) == (*expected, 2)
    assert call.took_ms == getattr(reply, "took_ms", 0)


@pytest.mark.parametrize("reply", [HttpReply(200, {"token": "abc-secret"}), NoAnswer("refused", "no")])
def test_a_call_has_neither_headers_nor_bodies(reply: Reply):
    assert b"abc-secret" not in json.encode(trace_call(HTTP, reply, 1))


def test_a_call_does_not_have_the_value_of_a_key():
    assert b"ann@example.com" not in json.encode(trace_call(KEY, ProfileReply(None), 1))
