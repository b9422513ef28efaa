"""Upgrading identities: the names of keys of earlier versions, and profiles without links for what they have proven.

An earlier version named a key `path=value`; a flag beside it said that it was only claimed. Now the name has a hash in
place of the value, and a claimed key has a name of its own (`engine.profile.linking.key_link`). An earlier version kept
a proof with a profile only if it joined the profile with another one, and claims joined anybody to the proven.
"""

from collections.abc import Iterable

from msgspec import Struct, structs

from engine.language.path import parse_path, show_path
from engine.ports.ids import cause_of
from engine.problem import ProblemError
from engine.profile.document import Profile
from engine.profile.grouping import DUE_AT_ONCE
from engine.profile.linking import CLAIMED, Pool, groups, is_one_group, settled
from engine.profile.upgrade import with_proof


def new_key(secret: bytes, key: str, claim: bool) -> str:
    """Return the new name of a key; the same name if it is none of a merge key, such as that of a tombstone."""
    at = key.find("=")
    while at >= 0:
        try:
            path = show_path(parse_path(key[:at]))
        except ProblemError:  # this `=` is in a quoted name
            at = key.find("=", at + 1)
            continue
        cause = cause_of(secret, path, key[at + 1 :])
        return CLAIMED + cause if claim else cause
    return key


def with_proofs(profile: Profile, proofs: Iterable[tuple[str, str]], now: int) -> Profile:
    """Return a profile with its proofs, pairs of an id and a cause, in which the claims of the proven have ceased.

    `now` is in ms. The result is the same profile if nothing changes. If its parts are several groups, it is due: a
    server sets them apart when it evaluates the profile's segments.
    """
    for id, cause in proofs:
        profile = with_proof(profile, id, cause)
    pool = Pool.of(profile)
    after = settled(pool, now)
    if after is not pool:
        profile = structs.replace(profile, links=dict(sorted(after.links.items())))
    if profile.due != DUE_AT_ONCE and not is_one_group(profile):
        profile = structs.replace(profile, due=DUE_AT_ONCE)
    return profile


class IdentityChanges(Struct):
    """How much an upgrade changes, or would change."""

    keys: int = 0  # that are renamed
    proven: int = 0  # profiles that get links for what they proved
    apart: int = 0  # profiles that are no longer one group
    groups: int = 0  # of those

    def count(self, before: Profile, after: Profile) -> None:
        """Count a profile before and after `with_proofs`."""
        self.proven += len(after.links) > len(before.links)
        found = groups(Pool.of(after)) if len(after.parts) > 1 else ()
        if len(found) > 1:
            self.apart += 1
            self.groups += len(found)

    def lines(self, *, done: bool) -> list[str]:
        """Return a line for each change, as it was made, or as it would be made."""
        were = "were" if done else "would be"
        lines = [
            (self.keys, f"keys that {were} renamed: {self.keys}"),
            (self.proven, f"profiles to which links to proven keys {were} added: {self.proven}"),
            (self.apart, f"profiles that a server will set apart: {self.apart}, into {self.groups}"),
        ]
        return [line for count, line in lines if count]
