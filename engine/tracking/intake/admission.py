"""Admission: whether a sender may speak for a source, and what its keys prove."""

import hashlib
import hmac
from collections.abc import Mapping

from msgspec import structs

from engine.flow.run import Identify
from engine.project.origin import allows
from engine.project.source import Source
from engine.tracking.intake.payload import Intake, Refusal
from engine.tracking.intake.user_token import proven_keys


def admit(sources: Mapping[str, Source], id: str, key: str | None, origin: str | None) -> Source:
    """Return the source `id` if it is enabled and `key` (of a secret one) and `origin` (of a browser) fit.

    Raises `Refusal`: an unknown, disabled or wrongly keyed source gets no further detail, and neither does one that
    accepts foreign protocols only.
    """
    source = sources.get(id)
    if (
        source is None
        or not source.enabled
        or "track" not in source.accepts
        or (source.kind == "secret" and not key_fits(source.key, key))
    ):
        raise Refusal("unauthorised", "the source is unknown, disabled, or its key is wrong", "/source/id")
    if origin is not None and source.origins and not allows(source.origins, origin):
        raise Refusal("not-allowed", f"source `{id}` does not take events from the origin {origin}", "/source/id")
    return source


def credential_matches(intake: Intake, source: Source, now: int) -> Intake:
    """Return the intake with the keys that its user token proves, and without the token. `now` is ms.

    Raises `Refusal`: for a token that proves nothing it names no reason.
    """
    if intake.token is None:
        return intake
    keys = None
    if source.user_secret is not None:
        keys = proven_keys(intake.token, source.user_secret, source.source, intake.session, now)
    if keys is None:
        raise Refusal("unauthorised", "the user token is not valid here and now: ask for a new one", "/userToken")
    return structs.replace(intake, token=None, proven=keys)


def authority(source: Source) -> Identify:
    """The trust in keys of this source's events: a secret source is trusted."""
    return "trust" if source.kind == "secret" else source.identify


def key_fits(expected: str | None, key: str | None) -> bool:
    """Return whether a key is the one whose SHA-256 is `expected`."""
    given = hashlib.sha256((key or "").encode()).hexdigest()
    return expected is not None and key is not None and hmac.compare_digest(expected.lower(), given)
