"""Functions that choose by a hash: the same input has the same result on every process, platform and version."""

from hashlib import sha256
from typing import Any, Final

from engine.language.absent import ABSENT, Unfit
from engine.language.operators import as_text, kind_of
from engine.language.signature import need_list, need_text, need_whole

MAX_BUCKETS: Final = 1_000_000


def bucket(value: Any, n: Any, salt: Any = "") -> int:
    """The bucket of a text or whole number, 0 to `n` - 1: always the same, evenly spread, independent per `salt`."""
    if not isinstance(value, str) and type(value) is not int:
        raise Unfit(f"`bucket` needs text or a whole number, not {kind_of(value)}")
    count = need_whole(n, "bucket")
    if not 1 <= count <= MAX_BUCKETS:
        raise Unfit(f"`bucket` makes 1 to {MAX_BUCKETS:,} buckets")
    return place(f"{need_text(salt, 'bucket')}:{as_text(value)}", count)


def place(text: str, n: int) -> int:
    """Return the place of a text among `n`: `h * n // 2**64`. Raises `UnicodeError` for half characters.

    h is the number in the first 8 bytes (big-endian) of the SHA-256 of the text in UTF-8.
    """
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") * n >> 64


def random_choice(draw: Any, items: Any, name: Any = "") -> Any:
    """An item of the list, by chance; the same one each time in a node of a run, unless `name` differs."""
    choices = need_list(items, "random_choice")
    if not choices:
        return ABSENT
    if draw is ABSENT:
        raise Unfit("`random_choice` draws in the values and conditions of nodes only")
    return choices[place(f"{draw}:{need_text(name, 'random_choice')}", len(choices))]
