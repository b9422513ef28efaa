"""`sources/*.yaml`: who may send events."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.language.path import parse_path
from engine.problem import Problem, ProblemError
from engine.project.origin import remedy as remedy_of_origin
from engine.project.source import EventIdPlace, Source
from engine.tracking.intake.user_token import SHORTEST_SECRET
from flows.secret import resolve
from flows.typed import read_struct

_SECRETS = {"user_secret": SHORTEST_SECRET, "product_secret": 8}  # and the fewest characters of each
_HASH = re.compile(r"[0-9a-f]{64}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


def read_source(data: Any, root: Path, environment: Mapping[str, str]) -> tuple[Source | None, list[Problem]]:
    """The source in `data`, or None with its problems. References to secrets are resolved as those of targets."""
    for name in _SECRETS:
        written = data.get(name) if isinstance(data, Mapping) else None
        if isinstance(written, str):
            try:
                data = {**data, name: _resolve_secret(name, written, root, environment)}
            except ProblemError as error:
                return None, [error.problem.below((name,))]
    source, problems = read_struct(Source, data, "a source")
    if source is None:
        return None, problems
    if source.kind == "secret" and source.key is None:
        remedy = "add `key:` with the SHA-256 (hex) of the key that its requests carry"
        message = f"the secret source `{source.source}` needs `key`"
        problems.append(Problem(code="H403", message=message, path=("kind",), help=remedy))
    if source.key is not None and not _HASH.fullmatch(source.key):
        remedy = "write the key's SHA-256 as 64 hexadecimal digits, never the key itself"
        problems.append(Problem(code="H404", message="`key` is not a SHA-256", path=("key",), help=remedy))
    if source.key is not None and source.kind == "public":
        message = f"`key` protects nothing here: the source `{source.source}` is public"
        remedy = "add `kind: secret`, or drop `key`"
        problems.append(Problem(code="H404", message=message, path=("key",), on="key", help=remedy))
    if "traintracks" in source.accepts and source.product_secret is None:
        message = f"the source `{source.source}` accepts traintracks, and has no secret that checks its requests"
        remedy = "add `product_secret: ${env:NAME}`, the product secret that the clients sign with"
        problems.append(Problem(code="H403", message=message, path=("accepts",), help=remedy))
    problems += _origins(source.origins)
    if source.event_id is not None:
        problems += _event_id(source, source.event_id)
    return (None if problems else source), problems


def _origins(origins: tuple[str, ...]) -> Iterator[Problem]:
    """A problem for each origin that no browser sends: it could never match a request."""
    for index, origin in enumerate(origins):
        if (help := remedy_of_origin(origin)) is not None:
            message = f"`{origin}` is not the origin of a page"
            yield Problem(code="H404", message=message, path=("origins", index), help=help)


def _event_id(source: Source, place: EventIdPlace) -> Iterator[Problem]:
    """The problems of the place of an id: it is one place, of a request to `/collect`."""
    if (place.header is None) == (place.path is None):
        message = "`event_id` is one header or one path"
        help = "write `event_id: {header: X-Delivery-Id}`, or `event_id: {path: data.id}`"
        yield Problem(code="H404", message=message, path=("event_id",), help=help)
    if place.header is not None and not _HEADER.fullmatch(place.header):
        message, help = f"`{place.header}` is no name of a header", "write it as `header: X-Delivery-Id`"
        yield Problem(code="H404", message=message, path=("event_id", "header"), help=help)
    if place.path is not None:
        try:
            parse_path(place.path)
        except ProblemError as error:
            yield error.problem.below(("event_id", "path"))
    if "track" not in source.accepts:
        message = f"`event_id` is that of /collect, from which the source `{source.source}` takes nothing"
        help = "add `track` to `accepts`, or drop `event_id`"
        yield Problem(code="H404", message=message, path=("event_id",), on="key", help=help)


def _resolve_secret(name: str, text: str, root: Path, environment: Mapping[str, str]) -> str:
    """The secret to which a source's key `name` refers. Raises `ProblemError`, also when it is in the file itself."""
    secret = resolve(text, root, environment)
    if secret is text:
        message, remedy = "a secret does not belong in the file itself", f"write `{name}: ${{env:NAME}}`"
        raise ProblemError(Problem(code="H404", message=message, help=remedy))
    if len(secret) < _SECRETS[name]:
        remedy = "make one by `openssl rand -hex 32`"
        raise ProblemError(
            Problem(code="H404", message=f"`{name}` has fewer than {_SECRETS[name]} characters", help=remedy)
        )
    return secret
