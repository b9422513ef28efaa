import msgspec
import pytest

from engine.flow.compile import compile_flow
from engine.flow.effect import Deliver
from engine.flow.message import HttpMessage
from nodes.deliver.http import DeliverHttp
from tests.nodes.build import node_context, stored_profile
from tests.nodes.example import NAMES, REGISTRY, document


def deliver(**fields):
    return DeliverHttp(target="crm", **fields)


@pytest.mark.parametrize(
    ("node", "effect"),
    [
        pytest.param(deliver(), Deliver("crm", HttpMessage()), id="only a target"),
        pytest.param(
            deliver(
                method="PUT", path="/c/a b/ü", query={"a": None, "b": [1, 2]}, headers={"X-Id": "1"}, body={"n": 5}
            ),
            Deliver("crm", HttpMessage("PUT", "/c/a%20b/%C3%BC", {"b": [1, 2]}, {"X-Id": "1"}, {"n": 5})),
            id="everything",
        ),
        pytest.param(deliver(after=600_000), Deliver("crm", HttpMessage(), after_ms=600_000), id="later"),
    ],
)
def test_it_delivers_a_request(node, effect):
    outcome = node.run(node_context())
    assert (outcome.port, outcome.effects) == ("done", (effect,))


def test_a_delivery_waits_400_days_at_most():
    text = "a: {deliver.http: {target: crm, after: 401d}}"
    _, problems = compile_flow(document(text), NAMES, REGISTRY)
    assert [problem.message for problem in problems] == ["`after` of `deliver.http` is at most 400d"]


def test_the_order_by_profile_needs_a_profile():
    ordered = deliver(order="profile")
    assert ordered.run(node_context(stored_profile())).effects == (Deliver("crm", HttpMessage(), ordered=True),)
    refused = ordered.run(node_context())
    assert (refused.port, refused.effects) == ("failed", ())
    assert "needs a profile" in refused.reason


@pytest.mark.parametrize(
    "path", ["customers", "//evil.example/x", "/a/../admin", "/a/%2E%2E/b", "/a\r\nHost: x", "/a?b"]
)
def test_an_unsafe_path_leaves_by_failed(path):
    outcome = deliver(path=path).run(node_context())
    assert outcome.port == "failed"
    assert "path" in outcome.reason


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X-Name": "a\r\nHost: evil"}, id="a line break"),
        pytest.param({"host": "evil.example"}, id="the host"),
        pytest.param({"Idempotency-Key": "mine"}, id="the key of the delivery"),
    ],
)
def test_an_unsafe_or_reserved_header_leaves_by_failed(headers):
    assert deliver(headers=headers).run(node_context()).port == "failed"


@pytest.mark.parametrize(
    "fields",
    [{"headers": {"a b": "x"}}, {"query": {"a": {}}}, {"method": "TRACE"}, {"order": "all"}, {"after": -1}],
    ids=repr,
)
def test_an_invalid_config_is_rejected(fields):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"target": "crm", **fields}, DeliverHttp)
