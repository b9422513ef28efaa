"""The pair of a visitor id and a user id, which says whose the events of a payload are. One of the two may be absent.

A visitor id is a secret of its device, as a session id is. A user id is none: anybody may know the number of another
customer. So a sender that only claims its user has to name its visitor, too.
"""

from msgspec import structs

from engine.language.path import parse_path
from engine.ports.ids import pair_session_id
from engine.ports.store import Unavailable
from engine.profile.document import Path, Scalar
from engine.profile.key import KeyRules, key_text
from engine.profile.operations import Refused
from engine.profile.placeholder import length_reason, placeholder_reason
from engine.project.source import Source
from engine.tracking.intake.admission import authority
from engine.tracking.intake.payload import Intake, Refusal


def with_checked_pair(intake: Intake, source: Source, rules: KeyRules) -> Intake:
    """Return an intake with its user id, and an earlier one, in the form in which keys are compared.

    Raises `Refusal` for a visitor or user that identifies no person, or that such a payload of this source cannot have.
    """
    if intake.profile_less:
        name = "visitor" if intake.visitor is not None else "user"
        detail = f"events without a profile have no {name}: leave `{name}` out, or send them without `profile_less`"
        raise Refusal("malformed", detail, f"/{name}")
    if intake.visitor is not None and (reason := placeholder_reason(intake.visitor, rules.never)):
        remedy = "make one on the device (a uuid4), keep it and send it each time"
        raise Refusal("malformed", f"the visitor id `{intake.visitor}` {reason}: {remedy}", "/visitor/id")
    if intake.user is None:
        return intake
    if rules.user is None:
        detail = "this project has no user ids: declare `identity: {user: …}` in headrace.yaml, or leave `user` out"
        raise Refusal("malformed", detail, "/user")
    previous = None if intake.previous is None else _earlier_text(intake.previous, rules.user, rules)
    intake = structs.replace(intake, user=_user_text(intake.user, rules.user, rules), previous=previous)
    _refuse_unproven(intake, source, rules)
    return intake


def proves_user(intake: Intake, rules: KeyRules) -> bool:
    """Return whether a user token of the payload proves the user of an intake from `with_checked_pair`."""
    return any(_is_user(path, value, intake.user, rules) for path, value in intake.proven.items())


def session_of_pair(intake: Intake, secret: bytes) -> str:
    """Return the id of the session of a pair, for a payload that names none.

    Only the holder of `secret`, the store's, can compute it: the session's id is as secret as one that a client makes,
    holds no personal data, and cannot be that of a client. Raises `Unavailable` while the secret is not known.
    """
    if not secret:
        raise Unavailable("the store is away, and its key is not known here yet", retry_after=5)
    return pair_session_id(secret, intake.source, intake.visitor or "", intake.user or "")


def _user_text(user: str, path: Path, rules: KeyRules) -> str:
    """Return a user id in the form in which keys are compared. Raises `Refusal` if it identifies no person."""
    try:
        text = key_text(path, user, rules)
    except Refused as refused:
        raise Refusal("malformed", f"{refused}, as user ids are here", "/user/id") from None
    never = rules.never
    if reason := length_reason(text) or placeholder_reason(user, never) or placeholder_reason(text, never):
        remedy = "leave `user` out before the login"
        raise Refusal("malformed", f"the user id `{user}` {reason}: {remedy}", "/user/id")
    return text


def _earlier_text(previous: str, path: Path, rules: KeyRules) -> str | None:
    """Return an earlier user id in the form in which keys are compared; None for what can be no user's id."""
    try:
        return key_text(path, previous, rules)
    except Refused:
        return None


def _refuse_unproven(intake: Intake, source: Source, rules: KeyRules) -> None:
    """Raise `Refusal` for a user that is not proven, from a source that refuses claims or for no visitor."""
    trust = authority(source)
    if trust == "trust" or (trust == "link" and intake.visitor is not None) or proves_user(intake, rules):
        return
    if trust == "refuse":
        remedy = "prove it by a user token" if source.user_secret is not None else "leave `user` out"
        detail = f"source `{source.source}` has `identify: refuse`, so it cannot claim a user: {remedy}"
        raise Refusal("malformed", detail, "/user")
    detail = (
        f"source `{source.source}` does not prove its users, and a user id is no secret, so an event of a user needs "
        "a visitor: send the id of the device (a uuid4 that it keeps), or send from a source with `kind: secret`"
    )
    raise Refusal("malformed", detail, "/visitor/id")


def _is_user(path: str, value: Scalar, user: str | None, rules: KeyRules) -> bool:
    names = parse_path(path)
    if names != rules.user:
        return False
    try:
        return key_text(names, value, rules) == user
    except Refused:
        return False
