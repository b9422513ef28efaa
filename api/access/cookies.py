"""The cookie of a login. Over TLS its name begins with `__Host-`, so that no other host can set it."""

from typing import Final

from api.access.logins import LONGEST_MS
from api.access.principal import Connection

SECURE: Final = "__Host-headrace-login"
PLAIN: Final = "headrace-login"


def login_secret(connection: Connection, *, secure: bool) -> str | None:
    """Return the secret in the cookie of a request; None without one, or if two cookies of the name differ.

    A host of the same domain may add a cookie of that name where its name does not protect it; which of two
    is right cannot be known.
    """
    name, found = SECURE if secure else PLAIN, set()
    for header, value in connection.scope["headers"]:
        if header == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                key, _, secret = pair.strip().partition("=")
                if key == name:
                    found.add(secret)
    return found.pop() if len(found) == 1 else None


def set_login(secret: str, *, secure: bool) -> str:
    """Return the header `Set-Cookie` that begins a login."""
    return _cookie(secret, LONGEST_MS // 1000, secure=secure)


def clear_login(*, secure: bool) -> str:
    """Return the header `Set-Cookie` that ends a login."""
    return _cookie("", 0, secure=secure)


def _cookie(value: str, seconds: int, *, secure: bool) -> str:
    name, more = (SECURE, "; Secure") if secure else (PLAIN, "")
    return f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{more}"
