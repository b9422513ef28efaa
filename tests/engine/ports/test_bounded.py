"""Caches that are bounded by the number and by the weight of their entries."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.ports.bounded import BoundedCache, WeighedCache, document_weight

KEYS = st.integers(0, 9)


def test_a_bounded_cache_evicts_the_entry_that_was_put_in_first() -> None:
    cache = BoundedCache[str](2)
    for key in ("a", "b", "a", "c"):
        cache.put(key, key)
    assert list(cache) == ["b", "c"]


@given(st.lists(st.tuples(KEYS, st.one_of(st.none(), st.integers(0, 60))), max_size=60))
def test_a_weighed_cache_never_holds_more_than_its_bytes_and_entries(steps: list[tuple[int, int | None]]) -> None:
    """Each step puts in an item of a weight, or drops a key."""
    cache, newest = WeighedCache[list[int]](lambda item: item[0], 100, 4), dict[int, list[int]]()
    for key, weight in steps:
        if weight is None:
            cache.drop(key)
            newest.pop(key, None)
        else:
            newest[key] = [weight]
            cache.put(key, newest[key])
        assert sum(item[0] for item in cache.values()) == cache.bytes <= 100
        assert len(cache) <= 4
        assert all(newest[key] is item for key, item in cache.items())


def test_an_item_that_outweighs_the_cache_is_not_kept_and_neither_is_the_one_before() -> None:
    cache = WeighedCache[int](lambda item: item, 100)
    cache.put("a", 60)
    cache.put("b", 40)
    cache.put("a", 101)
    assert (dict(cache), cache.bytes) == ({"b": 40}, 40)


def test_a_document_of_many_small_values_weighs_more_than_a_text_of_that_length() -> None:
    many: dict[str, Any] = {f"n{i}": i for i in range(1_000)}
    assert document_weight(many) > 10 * document_weight({"text": "x" * 10_000})
