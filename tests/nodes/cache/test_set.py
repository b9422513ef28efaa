import pytest

from engine.flow.effect import CachePut
from nodes.cache.set import CacheSet
from tests.nodes.build import node_context


def test_the_value_is_stored_with_its_ttl():
    outcome = CacheSet(key="rate:EUR", value={"rate": 1.1}, ttl=600_000).run(node_context())
    assert (outcome.port, outcome.effects) == ("done", (CachePut("rate:EUR", {"rate": 1.1}, 600_000),))


@pytest.mark.parametrize("key", ["", " ", "k" * 501], ids=["empty", "blank", "too long"])
def test_an_invalid_key_leaves_by_failed(key):
    outcome = CacheSet(key=key, value=1, ttl=1000).run(node_context())
    assert (outcome.port, outcome.effects) == ("failed", ())
