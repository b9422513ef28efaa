"""`headrace token`: makes a user token, for trying out and for a back end to compare its own with."""

from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from cli.check import WELL, WRONG_USAGE
from effects.clock import SystemClock
from engine.language.duration import read_duration
from engine.problem import did_you_mean
from engine.project.source import Source
from engine.tracking.intake.user_token import MAX_SECONDS, Claims, proven_keys, sign
from flows.project import load_project
from nodes import builtin


class Asked(Struct, frozen=True):
    """What the token is to say. `keys` are `PATH=VALUE`, `ttl` is a duration such as `10m`."""

    source: str
    keys: tuple[str, ...]
    ttl: str
    session: str | None = None


def token(project: Path, asked: Asked, out: TextIO, err: TextIO, environment: Mapping[str, str] | None = None) -> int:
    """Write a token on a line of its own; or say what is missing, with exit code 2."""
    loaded = load_project(project, builtin(), environment)
    made = _made(loaded.project.sources, asked, SystemClock().now())
    if isinstance(made, list):
        err.writelines(f"{line}\n" for line in made)
        return WRONG_USAGE
    out.write(f"{made}\n")
    return WELL


def _made(sources: Mapping[str, Source], asked: Asked, now: int) -> str | list[str]:
    """The token, or why there is none, line by line."""
    source = sources.get(asked.source)
    if source is None:
        help = did_you_mean(asked.source, sources)
        return [f"there is no source `{asked.source}` that can be used: {help or '`headrace check` says more'}"]
    if source.user_secret is None:
        return [f"the source `{asked.source}` takes no user tokens: add `user_secret: ${{env:NAME}}` to its file"]
    lasts = read_duration(asked.ttl)
    if not lasts or lasts > MAX_SECONDS * 1000:
        return [f"`{asked.ttl}` is no time that a token can be valid for: write 10m, at most 24h"]
    pairs = [key.partition("=") for key in asked.keys]
    claims = Claims(
        aud=asked.source,
        exp=(now + lasts) / 1000,
        keys={path: value for path, _, value in pairs},
        session=asked.session,
    )
    made = sign(claims, source.user_secret)
    if not all(value for _, _, value in pairs) or proven_keys(made, source.user_secret, *_at(asked, now)) is None:
        return ["a token carries 1 to 10 keys below `pii` or `traits`: write --set pii.email=ann@example.com"]
    return made


def _at(asked: Asked, now: int) -> tuple[str, str | None, int]:
    return asked.source, asked.session, now
