"""`headrace token`: signs a user token, for tests and to compare with the tokens of your own back end."""

from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from cli.check import OK, USAGE_ERROR
from effects.clock import SystemClock
from engine.language.duration import read_duration
from engine.problem import did_you_mean
from engine.profile.key import KeyRules
from engine.profile.operations import Refused
from engine.tracking.intake.user_token import MAX_SECONDS, Claims, proven_keys, sign
from flows.project import LoadedProject, load_project
from nodes import builtin
from nodes.key import read_key


class TokenRequest(Struct, frozen=True):
    """The contents of a token. `keys` are `PATH=VALUE`, `ttl` is a duration such as `10m`; `session` None: any."""

    source: str
    keys: tuple[str, ...]
    ttl: str
    session: str | None = None


class _TokenRefused(Exception):
    """No token can be made; the message says why and what to do."""


def token(
    project: Path, request: TokenRequest, out: TextIO, err: TextIO, environment: Mapping[str, str] | None = None
) -> int:
    """Write a signed token to `out` on a line of its own; or to `err` why there is none, with exit code 2.

    `environment` has the secrets of the project's sources; by default it is that of this process.
    """
    loaded = load_project(project, builtin(), environment)
    try:
        signed = _sign(loaded, request, SystemClock().now())
    except _TokenRefused as refused:
        err.write(f"{refused}\n")
        return USAGE_ERROR
    out.write(f"{signed}\n")
    return OK


def _sign(loaded: LoadedProject, request: TokenRequest, now: int) -> str:
    """The token. Raises `_TokenRefused`."""
    source = loaded.project.sources.get(request.source)
    if source is None:
        raise _TokenRefused(_unusable(loaded, request.source))
    if source.user_secret is None:
        message = f"the source `{request.source}` takes no user tokens: add `user_secret: ${{env:NAME}}` to its file"
        raise _TokenRefused(message)
    ttl_ms = read_duration(request.ttl)
    if not ttl_ms or ttl_ms > MAX_SECONDS * 1000:
        raise _TokenRefused(f"`{request.ttl}` is no time that a token can be valid for: write 10m, at most 24h")
    pairs = [key.partition("=") for key in request.keys]
    for path, _, value in pairs:
        _check_key(path, value, loaded.project.settings.keys)
    claims = Claims(
        aud=request.source,
        exp=(now + ttl_ms) / 1000,
        keys={path: value for path, _, value in pairs},
        session=request.session,
    )
    signed = sign(claims, source.user_secret)
    proven = proven_keys(signed, source.user_secret, request.source, request.session, now)
    if proven is None or not all(value for _, _, value in pairs):
        raise _TokenRefused(
            "a token carries 1 to 10 keys below `pii` or `traits`: write --set pii.email=ann@example.com"
        )
    return signed


def _unusable(loaded: LoadedProject, name: str) -> str:
    """The reason why a project has no usable source of a name: it is unknown, or its file has errors."""
    if name not in loaded.names.get("sources", ()):
        help = did_you_mean(name, loaded.project.sources) or "`headrace check` says more"
        return f"there is no source `{name}` that can be used: {help}"
    errors = [one for one in loaded.diagnostics if one.severity == "error" and one.file.startswith("sources/")]
    first = f"{errors[0].message} ({errors[0].help})" if errors else "its file has an error"
    return f"the source `{name}` cannot be used: {first}; `headrace check` shows the place"


def _check_key(path: str, value: str, rules: KeyRules) -> None:
    """Check that flows would take a value as the key that the token names. Raises `_TokenRefused`."""
    if not value or path.partition(".")[0] not in ("pii", "traits"):
        return  # the token as a whole is refused
    try:
        read_key(path, value, rules)
    except Refused as refused:
        raise _TokenRefused(f"no profile has `{value}` as `{path}`: {refused}") from refused
