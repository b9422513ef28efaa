import msgspec
import pytest

from engine.flow.ask import CacheReply, HttpAsk, HttpReply, NoAnswer
from nodes.lookup.http import LookupHttp
from tests.nodes.build import node_context


def lookup(**fields):
    return LookupHttp(target="crm", **fields)


@pytest.mark.parametrize(
    ("node", "ask"),
    [
        pytest.param(lookup(), HttpAsk("crm", share=True), id="only a target"),
        pytest.param(
            lookup(method="POST", path="/scores", query={"model": "basic"}, headers={"X-Id": "1"}, body={"total": 5}),
            HttpAsk("crm", "POST", "/scores", {"model": "basic"}, {"X-Id": "1"}, {"total": 5}),
            id="everything",
        ),
        pytest.param(
            lookup(path="/c/a%2Fb"),
            HttpAsk("crm", path="/c/a%2Fb", share=True),
            id="encoded segments are not encoded twice",
        ),
        pytest.param(
            lookup(path="/c/a b/ü"),
            HttpAsk("crm", path="/c/a%20b/%C3%BC", share=True),
            id="text is percent-encoded",
        ),
        pytest.param(
            lookup(query={"a": None, "b": [1, 2], "c": 0}),
            HttpAsk("crm", query={"b": [1, 2], "c": 0}, share=True),
            id="null parameters are omitted",
        ),
    ],
)
def test_it_asks_the_target(node, ask):
    assert node.ask(node_context()) == ask


@pytest.mark.parametrize(
    ("node", "shared"),
    [
        pytest.param(lookup(), True, id="a GET"),
        pytest.param(lookup(share=False), False, id="a GET that draws a number"),
        pytest.param(lookup(share=False, cache=1000), False, id="a GET that is kept and not shared"),
        pytest.param(lookup(method="POST"), False, id="a POST"),
        pytest.param(lookup(method="POST", cache=1000), True, id="a POST whose answer is kept"),
        pytest.param(lookup(method="POST", stale=1000), True, id="a POST whose answer may be old"),
        pytest.param(lookup(method="PUT", share=True), True, id="a PUT whose author says so"),
    ],
)
def test_requests_are_shared_where_that_does_no_harm(node, shared):
    ask = node.ask(node_context())
    assert (ask.share, ask.cache_ms, ask.stale_ms) == (shared, node.cache, node.stale)


def test_an_older_answer_leaves_by_found_and_says_why_there_is_no_newer_one():
    reply = HttpReply(200, {"tier": "gold"}, age_ms=5000, stale="no answer within 2000 ms")
    for node, out in ((lookup(), {"tier": "gold"}), (lookup(take="tier"), "gold")):
        outcome = node.answer(node_context(), reply)
        assert (outcome.port, outcome.out) == ("found", out)
        assert "no answer within 2000 ms" in outcome.reason


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("", id="empty"),
        pytest.param("customers", id="no slash first"),
        pytest.param("//evil.example/x", id="two slashes first"),
        pytest.param("/customers/../admin", id="a parent segment"),
        pytest.param("/customers/%2E%2E/admin", id="an encoded parent segment"),
        pytest.param("/customers/%2e%2e", id="an encoded parent segment at the end"),
        pytest.param("/customers/..%2Fadmin", id="a parent segment and an encoded slash"),
        pytest.param("/customers/..%5Cadmin", id="a parent segment and an encoded backslash"),
        pytest.param("/customers/.", id="a dot segment"),
        pytest.param("/customers\\admin", id="a backslash"),
        pytest.param("/customers\r\nHost: x", id="a line break"),
        pytest.param("/customers/%0d%0aHost: x", id="an encoded line break"),
        pytest.param("/customers/%00", id="an encoded zero"),
        pytest.param("/customers?id=1", id="a question mark"),
        pytest.param("/customers#top", id="a number sign"),
    ],
)
def test_an_unsafe_path_leaves_by_failed(path):
    outcome = lookup(path=path).ask(node_context())
    assert outcome.port == "failed"
    assert "path" in outcome.reason


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X-Name": "a\r\nHost: evil"}, id="a line break"),
        pytest.param({"host": "evil.example"}, id="the host"),
        pytest.param({"Content-Length": "5"}, id="the length"),
    ],
)
def test_an_unsafe_or_reserved_header_leaves_by_failed(headers):
    assert lookup(headers=headers).ask(node_context()).port == "failed"


@pytest.mark.parametrize("fields", [{"headers": {"a b": "x"}}, {"query": {"a": {}}}, {"method": "DELETE"}], ids=repr)
def test_an_invalid_config_is_rejected(fields):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"target": "crm", **fields}, LookupHttp)


@pytest.mark.parametrize(
    ("status", "port"),
    [(200, "found"), (201, "found"), (299, "found"), (204, "missing"), (404, "missing"), (410, "missing")]
    + [(status, "failed") for status in (199, 300, 304, 400, 401, 403, 409, 429, 500, 503)],
)
def test_the_status_chooses_the_port(status, port):
    outcome = lookup().answer(node_context(), HttpReply(status, {"tier": "gold"}))
    assert (outcome.port, outcome.out) == (port, {"tier": "gold"} if port == "found" else None)
    assert (str(status) in outcome.reason) == (port != "found")


@pytest.mark.parametrize("status", [200, 203, 204])
@pytest.mark.parametrize(("method", "port"), [("GET", "missing"), ("POST", "found"), ("PUT", "found")])
@pytest.mark.parametrize("take", [None, "customer.tier"])
def test_a_response_without_a_body_is_missing_to_a_get(status, method, port, take):
    outcome = lookup(method=method, take=take).answer(node_context(), HttpReply(status))
    assert outcome.port == ("failed" if port == "found" and take else port)


@pytest.mark.parametrize(
    ("take", "port", "out"),
    [
        pytest.param("customer", "found", {"tier": "gold", "note": None}, id="an object"),
        pytest.param("customer.tier", "found", "gold", id="a value"),
        pytest.param("customer.note", "found", None, id="a null"),
        pytest.param("orders.1.id", "found", 8, id="a position"),
        pytest.param("orders.2", "failed", None, id="a missing position"),
        pytest.param("customer.name", "failed", None, id="a missing name"),
        pytest.param("customer.tier.x", "failed", None, id="a path below a value"),
    ],
)
def test_take_selects_a_part_of_the_response(take, port, out):
    body = {"customer": {"tier": "gold", "note": None}, "orders": [{"id": 7}, {"id": 8}]}
    outcome = lookup(take=take).answer(node_context(), HttpReply(200, body))
    assert (outcome.port, outcome.out) == (port, out)
    assert (take in outcome.reason) == (port == "failed")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        pytest.param(NoAnswer("timeout", "no answer within 2000 ms"), "no answer within 2000 ms", id="no answer"),
        pytest.param(CacheReply(False), "a reply of another kind: CacheReply", id="a reply of another type"),
    ],
)
def test_no_answer_leaves_by_failed(reply, reason):
    outcome = lookup().answer(node_context(), reply)
    assert (outcome.port, outcome.reason) == ("failed", reason)
