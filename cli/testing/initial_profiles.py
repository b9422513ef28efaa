"""The profiles under `given` of a flow test, as a store would have them."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.language.path import parse_path, show_path
from engine.ports.ids import cause_of
from engine.ports.records import IdentityKey, ProfileWrite, Unit
from engine.profile.apply import apply_operations
from engine.profile.consent import decision_operations
from engine.profile.document import LinkKind, Path, Profile, new_profile
from engine.profile.fold import fold
from engine.profile.key import KeyRules
from engine.profile.linking import key_link, new_link
from engine.profile.operations import Add, Operation, Refused, Set
from engine.profile.profile_view import profile_view
from engine.project.project import Project
from engine.tracking.intake.consent import decisions_of
from flows.case import GivenProfile
from nodes.key import read_key


class GivenKey(Struct, frozen=True):
    """A key of a given profile: its path, and its cause as links name it."""

    path: Path
    cause: str


def initial_profile_unit(project: Project, given: GivenProfile, id: str, now: int, secret: bytes) -> Unit:
    """Return the unit that creates a profile and its keys, named by the store's secret.

    Its keys are found by senders that prove them and by those that claim them, and nothing is proven of the profile.
    So it is joined by either. Raises `Refused` for values that no profile can have.
    """
    fields, rules = project.settings.fields, project.settings.keys
    profile, _ = apply_operations(new_profile(id, now), id, tuple(_operations(given, now)), now, None, fields)
    keys = tuple(_keys(given, rules, secret))
    profile = _with_exclusive_keys(profile, keys, rules)
    view = profile_view(profile, fold(profile, fields))
    profile = project.segment_rules.with_membership(profile, view, now)
    view = profile_view(profile, fold(profile, fields))
    kinds: tuple[LinkKind, ...] = ("proof", "claim")
    names = tuple([IdentityKey(key_link(key.cause, kind), id) for key in keys for kind in kinds])
    return Unit(profiles=(ProfileWrite(profile, 0, view),), keys=names)


def _with_exclusive_keys(profile: Profile, keys: Iterable[GivenKey], rules: KeyRules) -> Profile:
    """Return the profile with its values of exclusive keys: its user for good, others as claims."""
    part, links = profile.parts[profile.id], dict(profile.links)
    for key in keys:
        if key.path == rules.user:
            part = replace(part, user=key.cause)
        elif key.path in rules.exclusive:
            link = new_link(profile.id, "claim", key_link(key.cause, "claim"))
            links[link.id] = link
    return replace(profile, parts={part.id: part}, links=links)


def _operations(given: GivenProfile, now: int) -> Iterator[Operation]:
    for path, value in _values(given):
        yield Set(path, value)
    if given.consents:
        yield from decision_operations({}, decisions_of({"consents": given.consents}), now)
    for segment in given.segments:
        yield Add(("segments",), segment)


def _values(given: GivenProfile) -> Iterator[tuple[Path, Any]]:
    for root in ("traits", "pii"):
        for text, value in getattr(given, root).items():
            yield (root, *parse_path(text)), value


def _keys(given: GivenProfile, rules: KeyRules, secret: bytes) -> Iterator[GivenKey]:
    """Yield the keys of the profile: every value under `pii` or at a path that `keys:` in headrace.yaml names."""
    declared = {*rules.exclusive, *(path for path, _ in rules.forms)}
    for path, value in _values(given):
        if (path[0] == "pii" or path in declared) and isinstance(value, str | int | float):
            try:
                key = read_key(show_path(path), value, rules)
            except Refused:
                continue  # a value that identifies no profile
            yield GivenKey(path, cause_of(secret, key.path, key.text))
