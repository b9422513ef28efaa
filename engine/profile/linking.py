"""Linking: which ids belong together, by the links that they have.

A link joins an id to a key, or to another id. Ids that links connect are a *group*, and each group is one profile. Not
every link joins for ever:

- A claimed and a proven key are two keys: claims meet claims only, proofs meet proofs only.
- The ids that proofs and own links join with an id are its *own ids*. Once one of them has ever brought a proof, all of
  them are *proven*, for good. Claims of proven ids cease, and none is taken any more: strangers cannot join them.
- An *exclusive* key has one value in a profile. A link that would bring a second one is not taken, unless it is an
  alias. A value that an id brings is judged by its own ids; if others, whom claims join to them, have another value,
  the other claims of the own ids cease.
- An id has at most one own link, ever.
- Undoing takes a link away for good, and joins no ids.
- A link beyond a limit (ids and links of a profile, ids that one value joins) is not taken.

All functions are pure. A *pool* holds the parts and links of every document that a unit has read, so a group can span
several documents, and a document can have several groups.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final, Literal

from msgspec import Struct, json, structs

from engine.profile.document import Link, LinkKind, Part, Profile
from engine.profile.key import MAX_PER_KEY
from engine.profile.link_values import without_values

MAX_IDS: Final = 100  # of one profile
MAX_LINKS: Final = 500  # of one profile
CLAIMED: Final = "?"  # begins the name of a claimed key
NO_CLAIMS: Final = "the profile is proven: nothing that is only claimed joins it"

Refused = Literal["", "undone", "proven", "limit", "other"]


class LinkRules(Struct, frozen=True):
    """The rules of a project: the paths of exclusive keys, as text, and how many ids one value joins with the first."""

    exclusive: frozenset[str] = frozenset()
    max_per_key: int = MAX_PER_KEY
    max_ids: int = MAX_IDS


class Pool(Struct, frozen=True):
    """The parts and links of several documents."""

    parts: Mapping[str, Part]
    links: Mapping[str, Link]

    @classmethod
    def of(cls, *documents: Profile) -> "Pool":
        """Return the pool of these documents; of two copies of a part or link it has the more recent one."""
        pool = cls({}, {})
        for document in documents:
            pool = pool.joined_by(document)
        return pool

    def joined_by(self, document: Profile) -> "Pool":
        """Return the pool with the parts and links of one more document."""
        parts, links = dict(self.parts), dict(self.links)
        for part in document.parts.values():
            known = parts.get(part.id)
            if known is None or (part.last, part.visit_times) > (known.last, known.visit_times):
                parts[part.id] = part
        for link in document.links.values():
            links[link.id] = _one_link(links.get(link.id, link), link)
        return Pool(parts, links)

    def with_link(self, link: Link) -> "Pool":
        """Return the pool with a link in the place of the one with its id."""
        return Pool(self.parts, {**self.links, link.id: link})


class Verdict(Struct, frozen=True):
    """Whether links were taken, and the pool after it. `values` are the two values of an exclusive key."""

    pool: Pool
    refused: Refused = ""
    reason: str = ""
    values: tuple[str, ...] = ()

    @property
    def taken(self) -> bool:
        """Whether all links are in the pool and hold."""
        return not self.refused


def link_id(left: str, kind: LinkKind, right: str) -> str:
    """Return the id of a link: 32 hexadecimal digits."""
    return blake2b(json.encode([left, kind, right]), digest_size=16).hexdigest()


def new_link(left: str, kind: LinkKind, right: str, alias: bool = False) -> Link:
    """Return a link that holds."""
    return Link(link_id(left, kind, right), left, right, kind, alias)


def key_link(cause: str, kind: LinkKind) -> str:
    """Return the name of a key in links. `cause` is its path and a keyed hash of its value (`engine.ports.ids`)."""
    return CLAIMED + cause if kind == "claim" else cause


def path_of(name: str) -> str:
    """Return the path in the name of a key; empty for a text without a colon."""
    return name.removeprefix(CLAIMED).rpartition(":")[0]


# ---- groups ---------------------------------------------------------------------------------------------------------


def component(pool: Pool, id: str, *, claims: bool = True) -> frozenset[str]:
    """Return the ids that links join with `id`, itself included; without `claims`, its own ids."""
    return _reached(_neighbours(pool.links.values(), claims), id, pool.parts)


def groups(pool: Pool) -> list[frozenset[str]]:
    """Return the groups of all ids of a pool, sorted."""
    return sorted(_components(pool, claims=True), key=sorted)


def is_one_group(profile: Profile) -> bool:
    """Return whether the parts of a stored document belong together."""
    if len(profile.parts) < 2:
        return True
    pool = Pool(profile.parts, profile.links)
    return component(pool, next(iter(profile.parts))) == frozenset(profile.parts)


def is_proven(pool: Pool, ids: frozenset[str]) -> bool:
    """Return whether one of these ids, which must be all own ids of one of them, has ever brought a proof."""
    return any(link.kind == "proof" and (link.left in ids or link.right in ids) for link in pool.links.values())


def has_proven(pool: Pool, id: str) -> bool:
    """Return whether one of the own ids of `id` has ever brought a proof."""
    return is_proven(pool, component(pool, id, claims=False) | {id})


def all_own(profile: Profile, id: str) -> bool:
    """Return whether no claim is needed to join all parts of a profile to `id`."""
    return not profile.links or profile.parts.keys() <= component(Pool(profile.parts, profile.links), id, claims=False)


def own_ids(profile: Profile, id: str) -> frozenset[str]:
    """Return the parts of a profile that proofs and own links join with `id`, itself included."""
    return component(Pool(profile.parts, profile.links), id, claims=False) | {id}


def proven_sender(profile: Profile, id: str) -> bool:
    """Return whether one of the own ids of `id` has ever brought a proof."""
    return bool(profile.links) and has_proven(Pool(profile.parts, profile.links), id)


def values_of(pool: Pool, ids: Iterable[str], path: str) -> frozenset[str]:
    """Return the values of an exclusive key that a profile of `ids` has: proven ones if it is proven, else claims.

    The user of a pair counts always. A value is named as `key_link` names a proven key.
    """
    ids = frozenset(ids)
    beginning = f"{path}:" if is_proven(pool, ids) else f"{CLAIMED}{path}:"
    named = {
        link.right.removeprefix(CLAIMED)
        for link in pool.links.values()
        if link.left in ids and link.holds and link.right.startswith(beginning)
    }
    users = {part.user for id in ids if (part := pool.parts.get(id)) and part.user.startswith(f"{path}:")}
    return frozenset(named | users)


def has_lost_claim(profile: Profile, id: str, key: str) -> bool:
    """Return whether `id`, which holds a claimed key, no longer claims it: it is proven, or its link does not hold."""
    link = profile.links.get(link_id(id, "claim", key))
    return (link is not None and not link.holds) or proven_sender(profile, id)


def still_joined(pool: Pool, link: Link) -> tuple[Link, ...]:
    """Return a shortest chain of other links that joins the two sides of a link; empty if undoing it parts them."""
    others = [each for each in pool.links.values() if each.id != link.id and each.holds]
    chains: dict[str, tuple[Link, ...]] = {link.left: ()}
    todo = [link.left]
    for here in todo:
        for each in others:
            if here in (each.left, each.right):
                there = each.right if here == each.left else each.left
                if there not in chains:
                    chains[there] = (*chains[here], each)
                    todo.append(there)
    return chains.get(link.right, ())


# ---- changes --------------------------------------------------------------------------------------------------------


def accept(pool: Pool, links: Sequence[Link], rules: LinkRules, now: int) -> Verdict:
    """Add links to a pool, all of them or none. `now` is in ms."""
    trial = pool
    for link in links:
        verdict = _accept(trial, link, rules, now)
        if verdict.refused:
            return Verdict(pool, verdict.refused, verdict.reason, verdict.values)
        trial = verdict.pool
    return Verdict(trial)


def settled(pool: Pool, now: int) -> Pool:
    """Return the pool in which all claims of the proven have ceased; the same pool if none had to."""
    claims = [link for link in pool.links.values() if link.kind == "claim" and link.holds]
    if not claims or not any(link.kind == "proof" for link in pool.links.values()):
        return pool
    proofs: dict[str, str] = {}  # of each proven id a proof of its own ids
    for ids in _components(pool, claims=False):
        found = [
            link for link in pool.links.values() if link.kind == "proof" and (link.left in ids or link.right in ids)
        ]
        if found:
            first = min(found, key=lambda link: (link.why.at if link.why else 0, link.id))
            proofs.update(dict.fromkeys(ids, first.id))
    ended = {
        claim.id: structs.replace(claim, ceased=now, ceased_by=proof)
        for claim in claims
        if (proof := proofs.get(claim.left) or proofs.get(claim.right)) is not None
    }
    return Pool(pool.parts, {**pool.links, **ended}) if ended else pool


def undo(pool: Pool, id: str, now: int) -> Pool:
    """Return the pool with a link undone. Raises `KeyError` if it has no such link."""
    link = pool.links[id]
    return pool.with_link(structs.replace(link, undone=link.undone or now, why=without_values(link)))


def _accept(pool: Pool, link: Link, rules: LinkRules, now: int) -> Verdict:
    if link.kind == "claim" and _is_of_proven(pool, link):
        return Verdict(pool, "proven", NO_CLAIMS)
    known = pool.links.get(link.id)
    if known is not None and not known.holds:
        undone = "an operator has undone this link, for good" if known.undone else "this claim has ceased to hold"
        return Verdict(pool, "undone", undone)
    if link.kind == "own" and known is None and _has_own_link(pool, link.left):
        return Verdict(pool, "undone", "this device has had its first user already")
    if known is not None:
        return Verdict(pool)
    trial = pool.with_link(link)
    if link.kind != "claim":
        trial = settled(trial, now)
    verdict = _judged(pool, trial, link, rules, now)
    if verdict.refused:
        return verdict
    limit = _limit(verdict.pool, link, rules)
    return Verdict(pool, "limit", limit) if limit else verdict


def _judged(pool: Pool, trial: Pool, link: Link, rules: LinkRules, now: int) -> Verdict:
    """Judge a link by the exclusive keys: `trial` is `pool` with it."""
    for path in sorted(rules.exclusive):
        is_value = link.right.removeprefix(CLAIMED).startswith(f"{path}:")
        claims = link.kind == "claim" and not is_value
        sides = _sides(pool, component(trial, link.left, claims=claims), claims)
        named = {values for side in sides if (values := values_of(pool, side, path))}
        if is_value:
            named.add(frozenset({link.right.removeprefix(CLAIMED)}))
        together = frozenset().union(*named)
        if len(together) > 1 and not link.alias and not any(together <= values for values in named):
            return Verdict(pool, "other", f"`{path}` has another value there", tuple(sorted(together)))
        if not claims and not link.alias and len(values_of(trial, component(trial, link.left), path)) > 1:
            trial = _without_claims(trial, link, path, now)
    return Verdict(trial)


def _sides(pool: Pool, ids: Iterable[str], claims: bool) -> list[frozenset[str]]:
    """Return the groups that these ids, which a link would join, have in a pool without it."""
    near, seen, found = _neighbours(pool.links.values(), claims), set[str](), list[frozenset[str]]()
    for id in ids:
        if id not in seen:
            found.append(_reached(near, id, pool.parts) | {id})
            seen |= found[-1]
    return found


def _without_claims(pool: Pool, cause: Link, path: str, now: int) -> Pool:
    """Return the pool in which the claims of a link's own ids have ceased, but those of the exclusive key itself."""
    own = component(pool, cause.left, claims=False)
    links = dict(pool.links)
    for link in pool.links.values():
        touches_own = link.left in own or link.right in own
        other = touches_own and not link.right.startswith(f"{CLAIMED}{path}:")
        if other and link.kind == "claim" and link.holds:
            links[link.id] = structs.replace(link, ceased=now, ceased_by=cause.id)
    return Pool(pool.parts, links)


def _limit(pool: Pool, link: Link, rules: LinkRules) -> str:
    """Return why the pool exceeds a limit with a new link; empty if it does not."""
    ids = component(pool, link.left, claims=link.kind == "claim")
    if len(ids) > rules.max_ids:
        return f"a profile has at most {rules.max_ids} ids"
    if sum(each.left in ids for each in pool.links.values()) > MAX_LINKS:
        return f"a profile has at most {MAX_LINKS} links"
    path = path_of(link.right)
    if not path or path in rules.exclusive:
        return ""
    others = sum(each.right == link.right and each.holds and each.id != link.id for each in pool.links.values())
    if others > rules.max_per_key:
        return f"`{path}` would join more than {rules.max_per_key} profiles: it does not identify one person"
    return ""


def _is_of_proven(pool: Pool, link: Link) -> bool:
    return any(id in pool.parts and has_proven(pool, id) for id in (link.left, link.right))


def _has_own_link(pool: Pool, id: str) -> bool:
    return any(link.kind == "own" and link.left == id for link in pool.links.values())


# ---- parts of the above ---------------------------------------------------------------------------------------------


def _neighbours(links: Iterable[Link], claims: bool) -> dict[str, list[str]]:
    near: dict[str, list[str]] = {}
    for link in links:
        if link.holds and (claims or link.kind != "claim"):
            near.setdefault(link.left, []).append(link.right)
            near.setdefault(link.right, []).append(link.left)
    return near


def _reached(near: Mapping[str, Sequence[str]], id: str, parts: Mapping[str, Part]) -> frozenset[str]:
    reached, todo = {id}, [id]
    while todo:
        for other in near.get(todo.pop(), ()):
            if other not in reached:
                reached.add(other)
                todo.append(other)
    return frozenset([each for each in reached if each in parts])


def _components(pool: Pool, *, claims: bool) -> list[frozenset[str]]:
    near, left, found = _neighbours(pool.links.values(), claims), set(pool.parts), list[frozenset[str]]()
    for id in pool.parts:
        if id in left:
            together = _reached(near, id, pool.parts)
            left -= together
            found.append(together)
    return found


def _one_link(copy: Link, other: Link) -> Link:
    """Return two copies of a link as one: ceased or undone if either is, with the origin of the first."""
    if copy is other or copy == other:
        return copy
    first = min(copy, other, key=lambda each: (each.why is None, each.why.at if each.why else 0, json.encode(each)))
    ended = min(
        [each for each in (copy, other) if each.ceased],
        key=lambda each: (each.ceased, each.ceased_by),
        default=first,
    )
    undone = min([each.undone for each in (copy, other) if each.undone], default=0)
    united = structs.replace(
        first, alias=copy.alias or other.alias, ceased=ended.ceased, ceased_by=ended.ceased_by, undone=undone
    )
    return structs.replace(united, why=without_values(united)) if undone else united
