"""The names that keys have in links and in the store, taken apart."""

import re
from typing import Final

from msgspec import Struct

from engine.profile.linking import CLAIMED

_NAME: Final = re.compile(r"(\??)(.+):([0-9a-f]{16})", re.DOTALL)


class KeyName(Struct, frozen=True):
    """The name of a key: the path, a keyed hash of the value, and whether it is the claimed or the proven key."""

    path: str
    hash: str  # 16 hexadecimal digits
    claimed: bool


def key_name(name: str) -> KeyName | None:
    """Return the parts of a name that `key_link` has made; None for an id."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    claimed, path, hash = match.groups()
    return KeyName(path, hash, claimed == CLAIMED)
