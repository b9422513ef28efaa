import pytest

from engine.flow.effect import CachePut
from nodes.cache.set import CacheSet
from tests.nodes.build import seen


def test_the_value_is_kept_for_its_time():
    outcome = CacheSet(key="rate:EUR", value={"rate": 1.1}, ttl=600_000).run(seen())
    assert (outcome.port, outcome.effects) == ("done", (CachePut("rate:EUR", {"rate": 1.1}, 600_000),))


@pytest.mark.parametrize("key", ["", " ", "k" * 501], ids=["empty", "blank", "too long"])
def test_a_text_that_is_no_key_leaves_by_failed(key):
    outcome = CacheSet(key=key, value=1, ttl=1000).run(seen())
    assert (outcome.port, outcome.effects) == ("failed", ())
