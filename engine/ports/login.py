"""Logins: the sessions in which users work with the console. No visitors' sessions."""

from msgspec import Struct


class Login(Struct, frozen=True, omit_defaults=True):
    """A login of a user, from `at` until `expires` or `idle_at` (ms), whichever comes first; then it is deleted.

    `id` is the digest of the secret that the user's browser keeps: the store does not hold that secret. `stamp` is the
    user's at the login: when the user has another one, the login has ended. `csrf` is in every form of it. Until
    `personal_until` (ms) personal data is shown.
    """

    id: str
    user: str
    stamp: str
    csrf: str
    at: int
    expires: int
    idle_at: int
    version: int = 1
    personal_until: int = 0
