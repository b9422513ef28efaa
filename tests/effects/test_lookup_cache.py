"""The answers that a process keeps: bounded in bytes, and dropped when they are too old."""

from effects.lookup_cache import LookupCache
from engine.flow.ask import HttpReply

LARGE = HttpReply(200, "x" * 1000)


def test_the_answers_that_came_first_go_when_the_cache_is_full() -> None:
    cache = LookupCache(max_bytes=10_000)
    for i in range(5):
        cache.keep(bytes([i]), LARGE, at=i, until=100)
    assert [cache.find(bytes([i])) is not None for i in range(5)] == [False, True, True, True, True]


def test_a_newer_answer_to_the_same_request_goes_as_late_as_it_came() -> None:
    cache = LookupCache(max_bytes=10_000)
    for at, i in enumerate((0, 1, 2, 3, 0, 4)):
        cache.keep(bytes([i]), HttpReply(200, "x" * 1000), at=at, until=100)
    assert [cache.find(bytes([i])) is not None for i in range(5)] == [True, False, True, True, True]


def test_an_answer_larger_than_the_cache_is_not_kept_and_drops_no_other() -> None:
    cache = LookupCache(max_bytes=5_000)
    cache.keep(b"1", LARGE, at=0, until=100)
    cache.keep(b"2", HttpReply(200, "x" * 10_000), at=0, until=100)
    assert (cache.find(b"1") is not None, cache.find(b"2")) == (True, None)


def test_old_answers_are_dropped() -> None:
    cache = LookupCache()
    cache.keep(b"1", LARGE, at=0, until=10)
    cache.keep(b"2", LARGE, at=0, until=20)
    cache.drop_old(10)
    assert (len(cache), cache.find(b"1")) == (1, None)


def test_the_longest_use_of_an_answer_counts() -> None:
    cache = LookupCache()
    for until in (10, 30, 20):
        cache.keep(b"1", LARGE, at=0, until=until)
    cache.drop_old(25)
    assert len(cache) == 1
