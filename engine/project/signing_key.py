"""The keys that sign webhooks, as the Standard Webhooks specification writes them: `whsec_` and Base64."""

import binascii
from base64 import b64decode
from typing import Final

PREFIX: Final = "whsec_"
SHORTEST: Final = 24  # bytes of a key; the specification wants 24 to 64
LONGEST: Final = 64


class BadSigningKey(ValueError):
    """A text is no key for signing webhooks. The message says why, without the text itself."""


def signing_keys(secret: str | None) -> tuple[bytes, ...]:
    """Return the keys in a target's `secret`, of which the receiver may know any: one, or `new,old` while it changes.

    Raises `BadSigningKey` for a text that holds no key, or more than two.
    """
    if secret is None:
        return ()
    texts = [text.strip() for text in secret.split(",")]
    if len(texts) > 2:
        raise BadSigningKey("the secret has more than two keys: the new one and the old one")
    return tuple([_key(text) for text in texts])


def _key(text: str) -> bytes:
    if not text.startswith(PREFIX):
        raise BadSigningKey(f"the secret does not begin with `{PREFIX}`")
    try:
        key = b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise BadSigningKey(f"the part of the secret behind `{PREFIX}` is not Base64") from None
    if not SHORTEST <= len(key) <= LONGEST:
        raise BadSigningKey(f"the secret has {len(key)} bytes; a key has {SHORTEST} to {LONGEST}")
    return key
