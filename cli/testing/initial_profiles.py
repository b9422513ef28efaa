"""The profiles under `given` of a flow test, as a store would have them."""

from collections.abc import Iterator
from typing import Any

from engine.language.path import parse_path, show_path
from engine.ports.records import IdentityKey, ProfileWrite, Unit
from engine.profile.apply import apply_operations
from engine.profile.consent import decision_operations
from engine.profile.document import Path, Profile, new_profile
from engine.profile.fold import fold
from engine.profile.key import KeyRules
from engine.profile.operations import Add, Operation, Refused, Set
from engine.profile.profile_view import profile_view
from engine.project.project import Project
from engine.tracking.intake.consent import decisions_of
from flows.case import GivenProfile
from nodes.key import read_key


def initial_profile_unit(project: Project, given: GivenProfile, id: str, now: int) -> Unit:
    """Return the unit that creates a profile and its keys. Raises `Refused` for values that no profile can have."""
    fields = project.settings.fields
    profile, _ = apply_operations(new_profile(id, now), id, tuple(_operations(given, now)), now, None, fields)
    view = profile_view(profile, fold(profile, fields))
    profile = project.segment_rules.with_membership(profile, view, now)
    view = profile_view(profile, fold(profile, fields))
    keys = tuple(_keys(given, project.settings.keys, profile))
    return Unit(profiles=(ProfileWrite(profile, 0, view),), keys=keys)


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


def _keys(given: GivenProfile, rules: KeyRules, profile: Profile) -> Iterator[IdentityKey]:
    """Yield the keys of the profile: every value under `pii` or at a path that `keys:` in headrace.yaml names."""
    declared = {path for path, _ in rules.forms}
    for path, value in _values(given):
        if (path[0] == "pii" or path in declared) and isinstance(value, str | int | float):
            try:
                key = read_key(show_path(path), value, rules)
            except Refused:
                continue  # a value that identifies no profile
            yield IdentityKey(f"{key.path}={key.text}", profile.id)
