import pytest

from engine.flow.ask import CacheGet as Get
from engine.flow.ask import CacheReply, NoAnswer, ProfileReply
from nodes.cache.get import CacheGet
from tests.nodes.build import node_context


def test_it_asks_for_its_key():
    assert CacheGet(key="rate:EUR").ask(node_context()) == Get("rate:EUR")


@pytest.mark.parametrize("key", ["", " ", "k" * 501], ids=["empty", "blank", "too long"])
def test_an_invalid_key_leaves_by_failed(key):
    assert CacheGet(key=key).ask(node_context()).port == "failed"


@pytest.mark.parametrize(
    ("reply", "port", "out"),
    [
        pytest.param(CacheReply(True, {"rate": 1.1}), "found", {"rate": 1.1}, id="a value is the output"),
        pytest.param(CacheReply(True, None), "found", None, id="a cached null is found"),
        pytest.param(CacheReply(False), "missing", None, id="a miss"),
        pytest.param(NoAnswer("timeout", "the store is busy"), "failed", None, id="the store does not answer"),
        pytest.param(ProfileReply(None), "failed", None, id="a reply of another type"),
    ],
)
def test_the_reply_chooses_the_port(reply, port, out):
    outcome = CacheGet(key="rate:EUR").answer(node_context(), reply)
    assert (outcome.port, outcome.out) == (port, out)
    assert bool(outcome.reason) == (port != "found")
