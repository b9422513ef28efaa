"""Credentials of a target: for the kind of system that it is, in the right form, and not in the file itself."""

from collections.abc import Iterator
from typing import Final

from engine.flow.mail_address import address_defect
from engine.problem import KeyPath, Problem
from engine.project.secret import Secret
from engine.project.signing_key import BadSigningKey, signing_keys
from engine.project.source import Target, TestPart, is_mail
from flows.secret import is_made_up

REFERENCING: Final = frozenset({"url", "secret", "user", "password"})  # references in them are resolved, as in headers

_ONLY_MAIL: Final = ("user", "password", "sender")
_ONLY_HTTP: Final = ("secret", "headers")


def credential_problems(name: str, target: Target, at: KeyPath) -> Iterator[Problem]:
    """Problems of the credentials of a target and of its test part. Messages do not repeat a secret."""
    yield from _part_problems(target, at)
    if target.sender is not None and (defect := address_defect(target.sender)):
        help = 'write one address, e.g. `shop@shop.example` or `"Shop <shop@shop.example>"`'
        yield Problem(code="H404", message=f"`sender` {defect}", path=(*at, "sender"), help=help)
    test = target.test
    if test is None:
        return
    yield from _part_problems(test, (*at, "test"))
    if is_mail(test) != is_mail(target) and not is_made_up(target.url + test.url):
        message = f"the test part of `{name}` is not of the same kind as the target"
        yield Problem(code="H436", message=message, path=(*at, "test", "url"), help="both are mail servers, or neither")
    elif target.secret is not None and test.secret is None:
        message = f"`{name}` signs its webhooks, and its test part has no `secret`"
        help = "add `secret: ${env:NAME}` with a key of the test system"
        yield Problem(code="H403", message=message, path=(*at, "test"), on="key", help=help)


def _part_problems(part: Target | TestPart, at: KeyPath) -> Iterator[Problem]:
    if is_made_up(part.url):  # of any kind
        return
    kind, foreign = ("a mail server", _ONLY_HTTP) if is_mail(part) else ("an HTTP service", _ONLY_MAIL)
    for key in foreign:
        if getattr(part, key, None):
            help = f"delete it; {_remedy(key)}"
            yield Problem(code="H436", message=f"{kind} has no `{key}`", path=(*at, key), on="key", help=help)
    if not is_mail(part) and part.secret is not None and not is_made_up(part.secret):
        yield from _secret_problems(part.secret, (*at, "secret"))
    if is_mail(part) and (part.user is None) != (part.password is None):
        has, lacks = ("user", "password") if part.password is None else ("password", "user")
        yield Problem(
            code="H403", message=f"`{has}` needs `{lacks}`", path=(*at, has), on="key", help=f"add `{lacks}:`"
        )
    for key in ("secret", "password"):
        value = getattr(part, key)
        if value is not None and not isinstance(value, Secret):
            message = f"`{key}` is written in the file itself: whoever reads the project knows it"
            help = f"write `{key}: ${{env:NAME}}`"
            yield Problem(code="H437", message=message, path=(*at, key), on="key", help=help, severity="warning")


def _remedy(key: str) -> str:
    return {
        "user": 'credentials are sent by `headers: {Authorization: "${env:NAME}"}`',
        "password": 'credentials are sent by `headers: {Authorization: "${env:NAME}"}`',
        "sender": "it belongs to a target with an address such as `smtp://host:587`",
        "secret": "credentials of a mail server are `user` and `password`",
        "headers": "headers of mails are made from the node's `to`, `subject`, `sender` and `reply_to`",
    }[key]


def _secret_problems(secret: str, at: KeyPath) -> Iterator[Problem]:
    try:
        signing_keys(secret)
    except BadSigningKey as error:
        help = "make one by `echo whsec_$(openssl rand -base64 32)`; while it changes write both: `new,old`"
        yield Problem(code="H404", message=str(error), path=at, help=help)
