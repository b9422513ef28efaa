"""Joining: an id brings a key, which joins its profile with those of the ids that brought the key before.

Nodes that identify profiles and the users that payloads name decide by `bring`; both record what it returns.
"""

from functools import lru_cache

from msgspec import Struct

from engine.language.path import show_path
from engine.profile.document import Link, LinkKind, Profile
from engine.profile.key import KeyRules
from engine.profile.linking import (
    LinkRules,
    Pool,
    Verdict,
    accept,
    component,
    has_proven,
    key_link,
    new_link,
    path_of,
)


class Brought(Struct, frozen=True):
    """A key that an id brings. `cause` is its path and a keyed hash of its value.

    `holder` is the id to which the stored key leads, if any, and `profile` the holder's document, unless the holder was
    forgotten or claims the key no longer.
    """

    cause: str
    kind: LinkKind
    holder: str | None = None
    profile: Profile | None = None
    alias: bool = False


class Joined(Struct, frozen=True):
    """The result of a key that was brought: the links to record, and whether the key is to lead to the bringing id.

    `joins` says whether the id has been joined with others by it. `over` are the ids that lose the key.
    """

    verdict: Verdict
    links: tuple[Link, ...] = ()
    holds_key: bool = False
    over: tuple[str, ...] = ()
    joins: bool = False

    @property
    def pool(self) -> Pool:
        """The pool after it."""
        return self.verdict.pool


@lru_cache(maxsize=64)
def link_rules(keys: KeyRules) -> LinkRules:
    """Return the rules of links that a project's rules for keys contain."""
    return LinkRules(frozenset([show_path(path) for path in keys.exclusive]), keys.max_per_key)


def bring(pool: Pool, id: str, brought: Brought, rules: LinkRules, now: int) -> Joined:
    """Decide about a key that `id` brings. `now` is in ms.

    Proofs and exclusive keys are recorded with the first id that brings them; other claims are not, until a second id
    brings the key: then the holder's link is recorded as well.
    """
    key = key_link(brought.cause, brought.kind)
    own = new_link(id, brought.kind, key, brought.alias)
    wide = pool if brought.profile is None else pool.joined_by(brought.profile)
    holder = brought.holder
    over: tuple[str, ...] = ()
    if holder is not None and holder != id and _is_vacant(wide, brought, own, rules, now):
        over, holder = (holder,), None
    if holder is None or holder == id:
        return _alone(pool, own, rules, now, holds_key=holder is None, over=over)
    links = (new_link(holder, brought.kind, key), own)
    verdict = accept(wide, links, rules, now)
    if not verdict.taken:
        return Joined(Verdict(pool, verdict.refused, verdict.reason, verdict.values))
    fresh = tuple([link for link in links if link.id not in wide.links])
    joins = not component(verdict.pool, id) <= component(pool, id) | {id}
    return Joined(verdict, fresh and links, joins=joins)


def join_ids(pool: Pool, link: Link, other: Profile, rules: LinkRules, now: int) -> Joined:
    """Decide about a link between two ids, of which `other` has the right one."""
    wide = pool.joined_by(other)
    verdict = accept(wide, (link,), rules, now)
    if not verdict.taken:
        return Joined(Verdict(pool, verdict.refused, verdict.reason, verdict.values))
    joins = not component(verdict.pool, link.left) <= component(pool, link.left) | {link.left}
    return Joined(verdict, () if link.id in wide.links else (link,), joins=joins)


def _alone(pool: Pool, own: Link, rules: LinkRules, now: int, *, holds_key: bool, over: tuple[str, ...]) -> Joined:
    """Decide about a key that no other id has."""
    verdict = accept(pool, (own,), rules, now)
    if not verdict.taken:
        return Joined(verdict)
    kept = own.kind == "proof" or _is_exclusive(own, rules)
    if not kept:
        return Joined(Verdict(pool), holds_key=holds_key, over=over)
    return Joined(verdict, () if own.id in pool.links else (own,), holds_key, over)


def _is_vacant(pool: Pool, brought: Brought, own: Link, rules: LinkRules, now: int) -> bool:
    """Whether the id that holds a key has lost it: by undoing, by a proof, by forgetting, or may never have had it."""
    holder = brought.holder
    if holder is None or brought.profile is None:
        return True
    if own.kind == "claim" and has_proven(pool, holder):
        return True
    return not accept(pool, (new_link(holder, own.kind, own.right),), rules, now).taken


def _is_exclusive(link: Link, rules: LinkRules) -> bool:
    return path_of(link.right) in rules.exclusive
