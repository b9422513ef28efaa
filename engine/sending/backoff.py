"""The pauses between the attempts at a delivery: each three times as long as the one before, up to three hours."""

from typing import Final

from engine.ports.ids import short_hash

FIRST_MS: Final = 5_000
LONGEST_MS: Final = 3 * 3_600_000
SPREAD: Final = 0.25  # a pause is longer or shorter by up to this share
LONGEST_ASKED_MS: Final = 24 * 3_600_000  # of a target's `Retry-After`
_TRIPLINGS: Final = 8  # beyond them every pause is the longest one


def pause_ms(id: str, attempt: int, retry_after_ms: int = 0) -> int:
    """Return the pause after a failed attempt (from 1), in ms: at least as long as the target asks for, up to a day.

    Which part of the spread a delivery gets follows from its id and the attempt, so deliveries that failed together do
    not all come again together, and any process computes the same.
    """
    usual: int = min(FIRST_MS * 3 ** min(attempt - 1, _TRIPLINGS), LONGEST_MS)
    chance = int(short_hash("pause", id, str(attempt))[:8], 16) / 0xFFFF_FFFF
    spread = round(usual * (1 - SPREAD + 2 * SPREAD * chance))
    return max(spread, min(retry_after_ms, LONGEST_ASKED_MS))
