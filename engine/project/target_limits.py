"""The limits of a target: its rate and its durations, which authors write as texts, as numbers."""

from typing import Final

from engine.language.duration import read_duration
from engine.language.rate import MAX_COUNT, Rate, read_rate
from engine.project.source import Target

__all__ = ["MAX_COUNT", "Rate", "give_up_ms", "rate_of", "read_rate", "share_of", "timeout_ms"]

MAX_TIMEOUT_MS: Final = 600_000
MAX_GIVE_UP_MS: Final = 7 * 86_400_000  # profiles know their last ordered deliveries for longer

DEFAULT_TIMEOUT_MS: Final = 10_000
DEFAULT_GIVE_UP_MS: Final = 3 * 86_400_000


def rate_of(target: Target) -> Rate | None:
    """Return how many requests to a target may begin in a span of time; None without a limit."""
    return read_rate(target.rate)


def share_of(rate: Rate, shards: int) -> Rate:
    """Return the rate of each of so many shards: together they keep to the whole rate.

    If the rate counts fewer requests than there are shards, each shard has one in a longer span.
    """
    if rate.count >= shards:
        return Rate(rate.count // shards, rate.seconds)
    return Rate(1, rate.seconds * shards / rate.count)


def timeout_ms(target: Target) -> int:
    """Return how long one attempt at a delivery may take, in milliseconds."""
    return read_duration(target.timeout) or DEFAULT_TIMEOUT_MS


def give_up_ms(target: Target) -> int:
    """Return the age in milliseconds at which a delivery that fails is given up."""
    return read_duration(target.give_up) or DEFAULT_GIVE_UP_MS
