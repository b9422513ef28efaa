"""The rules of who is joined with whom, on parts and their links: pure functions without documents.

A *part* is all that came in under one id. A *link* joins its id to a key, or to another id. The name of a key is
`path:value`; a link names it `?path:value` where it is claimed and `!path:value` where it is proven, so claims meet
claims only and proofs meet proofs only. The values of an exclusive path keep profiles apart.

- A claim holds while its id is bare: nothing is proven of it or of the ids that proofs and own links join with it.
- A profile is its ids, connected over the links that hold.
- A link that would bring two values of an exclusive path into one profile is refused, except by an alias.
- A link that has ended (it was undone, or it was a claim and has ceased) never holds again.

The functions change the dictionary of parts that they are given, never a part. This module imports nothing of the
engine: it is what the engine is compared with.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, TypeVar

from msgspec import Struct, structs

Kind = Literal["claim", "proof", "own"]
USER = "user"  # the path of the users' ids
EXCLUSIVE = frozenset({USER})
SIGNS: dict[Kind, str] = {"claim": "?", "proof": "!"}


class Link(NamedTuple):
    """Joins the id whose part it is in to a key or to another id, `to`. An own link joins a device to a pair."""

    to: str
    kind: Kind


class Part(Struct, frozen=True):
    """The links of an id that hold, and those that have ended; the user of a pair; whether it ever brought a proof."""

    links: frozenset[Link] = frozenset()
    ended: frozenset[Link] = frozenset()
    user: str = ""
    proven: bool = False


P = TypeVar("P", bound=Part)
Value = tuple[str, str]  # an exclusive path, and a value there


def pair(visitor: str, user: str) -> str:
    """The id that a visitor acts under with a user; without a user that of the visitor."""
    return f"{visitor}/{user}" if user else visitor


def key_link(key: str, kind: Kind) -> Link:
    """The link of an id that brings a key."""
    return Link(SIGNS[kind] + key, kind)


def is_key(to: str) -> bool:
    """Whether a link leads to a key, as opposed to an id."""
    return to[0] in "?!"


def component(parts: Mapping[str, Part], id: str, *, hers: bool = False) -> frozenset[str]:
    """The ids that the links which hold connect with `id`; for `hers` by proofs and own links only."""
    near: dict[str, list[str]] = defaultdict(list)
    for each, part in parts.items():
        for to, kind in part.links:
            if not (hers and kind == "claim"):
                near[each].append(to)
                near[to].append(each)
    found, left = {id}, [id]
    while left:
        for other in near[left.pop()]:
            if other not in found:
                found.add(other)
                left.append(other)
    return frozenset(each for each in found if each in parts)


def groups(parts: Mapping[str, Part]) -> set[frozenset[str]]:
    """The profiles: sets of ids that are together."""
    return {component(parts, id) for id in parts}


def is_proven(parts: Mapping[str, Part], id: str) -> bool:
    """Whether anything was ever proven of an id, or of one that is hers. A proof that is undone counts."""
    return any(parts[each].proven for each in component(parts, id, hers=True))


def values(parts: Mapping[str, Part], ids: Iterable[str]) -> frozenset[Value]:
    """The exclusive values of ids: those proven, those claimed if nothing is proven, and the users of pairs."""
    some = [parts[id] for id in ids]
    sign = "!" if any(part.proven for part in some) else "?"
    found = {(USER, part.user) for part in some if part.user}
    found.update(value for part in some for to, _ in part.links if to[0] == sign for value in _exclusive(to))
    return frozenset(found)


def settle(parts: dict[str, P]) -> None:
    """End the claims of ids of which anything is proven, and the claims that lead to them."""
    if not any(part.proven for part in parts.values()):
        return
    proven = {id for id in parts if is_proven(parts, id)}
    for id, part in list(parts.items()):
        claims = {link for link in part.links if link.kind == "claim" and (id in proven or link.to in proven)}
        if claims:
            parts[id] = _without(part, claims)


def accept(parts: dict[str, P], id: str, link: Link, *, alias: bool = False) -> bool:
    """Add a link that an id brings, if it may hold; returns whether it is not refused.

    All ids in question are in `parts`. A link that has ended is not refused, and does not hold all the same.
    """
    if link.kind == "claim" and (is_proven(parts, id) or (link.to in parts and is_proven(parts, link.to))):
        return False
    if link.kind == "own" and any(each.kind == "own" for each in parts[id].links | parts[id].ended):
        return link in parts[id].links  # there is one first pair
    if link in parts[id].links | parts[id].ended:
        return True  # a repeat changes nothing
    trial = dict(parts)
    add(trial, id, link)
    if link.kind != "claim":
        settle(trial)
    own_value = _exclusive(link.to)
    hers = link.kind != "claim" or bool(own_value)  # what others claim does not count against it
    if not alias and _clashes(parts, component(trial, id, hers=hers), own_value, hers=hers):
        return False
    if hers and not alias and has_two(values(trial, component(trial, id))):
        own = component(trial, id, hers=True)  # its other claims yield to its own value, and those that lead to it
        for each, part in list(trial.items()):
            some = {one for one in part.links if each in own or one.to in own}
            claims = {one for one in some if one.kind == "claim" and not _exclusive(one.to)}
            trial[each] = _without(part, claims)
    parts.update(trial)
    return True


def undo(parts: dict[str, P], id: str, link: Link) -> None:
    """End a link for good; it joins no ids, and what was proven stays so."""
    if link in parts[id].links | parts[id].ended:
        parts[id] = _without(parts[id], {link})


def has_two(found: Iterable[Value]) -> bool:
    """Whether there are two values of one path."""
    some = set(found)
    return len({path for path, _ in some}) < len(some)


def _exclusive(to: str) -> list[Value]:
    path, _, value = to[1:].partition(":")
    return [(path, value)] if is_key(to) and path in EXCLUSIVE else []


def add(parts: dict[str, P], id: str, link: Link) -> None:
    """Add a link without a question, unless it has ended."""
    part = parts[id]
    proven = link.kind == "proof"
    links = part.links if link in part.ended else part.links | {link}
    parts[id] = structs.replace(part, links=links, proven=part.proven or proven)
    if proven and link.to in parts:
        parts[link.to] = structs.replace(parts[link.to], proven=True)


def _without(part: P, links: set[Link]) -> P:
    return structs.replace(part, links=part.links - links, ended=part.ended | links)


def _clashes(parts: Mapping[str, Part], ids: frozenset[str], own: list[Value], *, hers: bool) -> bool:
    """Whether profiles that a link brings together have two values of one path which no alias joined before."""
    sides = {component(parts, id, hers=hers) for id in ids}
    named = [values(parts, side) for side in sides] + [frozenset(own)]
    every = frozenset[Value]().union(*named)
    return has_two(every) and not any(every <= some for some in named)
