"""Facts about ids in the order of their commits, and who is together after them: the oracle of other tests.

Limits (`most_per_key`, the number of ids in a profile) are left out.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tests.model.rules import (
    USER,
    Kind,
    Link,
    Part,
    accept,
    component,
    groups,
    is_proven,
    key_link,
    pair,
    settle,
    undo,
)


class Visit(NamedTuple):
    """An id sends an event without a key."""

    id: str


class Brings(NamedTuple):
    """An id brings a key, by claim or proof."""

    id: str
    key: str
    kind: Kind


class Login(NamedTuple):
    """A visitor sends an event with a user: acts under the pair, which brings the user's key.

    A hand-over is one, too: the id that acted before is the visitor.
    """

    visitor: str
    user: str
    kind: Kind


class Alias(NamedTuple):
    """The pair of a visitor and a user brings the key of another user, who may be a second one."""

    visitor: str
    user: str
    other: str
    kind: Kind


class AliasById(NamedTuple):
    """An id is joined with another id."""

    id: str
    other: str
    kind: Kind


class Undo(NamedTuple):
    """An operator undoes a link of an id."""

    id: str
    link: Link


class Forget(NamedTuple):
    """The profile of an id is erased; later facts of its ids are refused."""

    id: str


Fact = Visit | Brings | Login | Alias | AliasById | Undo | Forget


class Standing:
    """The parts of all ids after some facts, and the ids that are forgotten."""

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        self.parts: dict[str, Part] = {}
        self.forgotten: set[str] = set()
        for fact in facts:
            self.add(fact)

    def add(self, fact: Fact) -> bool:
        """Apply a fact; returns whether the link that it is about holds now."""
        match fact:
            case Visit(id):
                return self._part(id)
            case Brings(id, key, kind):
                return self._link(id, key_link(key, kind))
            case Login(visitor, user, kind):
                return self._login(visitor, user, kind)
            case Alias(visitor, user, other, kind):
                self._login(visitor, user, kind)
                return self._link(pair(visitor, user), key_link(f"{USER}:{other}", kind), alias=True)
            case AliasById(id, other, kind):
                known = self._part(id) and other in self.parts and other != id
                return known and self._link(id, Link(other, kind))
            case Undo(id, link):
                if id in self.parts:
                    undo(self.parts, id, link)
                return False
            case Forget(id):
                self._forget(id)
                return False

    def together(self) -> set[frozenset[str]]:
        """The profiles: sets of ids."""
        return groups(self.parts)

    def holding(self) -> set[tuple[str, Link]]:
        """The links that hold, each with its id."""
        return {(id, link) for id, part in self.parts.items() for link in part.links}

    def proven(self) -> set[str]:
        """The ids of which anything is proven."""
        return {id for id in self.parts if is_proven(self.parts, id)}

    def _part(self, id: str, user: str = "") -> bool:
        if id in self.forgotten:
            return False
        self.parts.setdefault(id, Part(user=user))
        return True

    def _link(self, id: str, link: Link, *, alias: bool = False) -> bool:
        if not self._part(id):
            return False
        accept(self.parts, id, link, alias=alias)
        settle(self.parts)
        return link in self.parts[id].links

    def _login(self, visitor: str, user: str, kind: Kind) -> bool:
        acting = pair(visitor, user)
        if not self._part(acting, user):
            return False
        taken = self._link(acting, key_link(f"{USER}:{user}", kind))
        if self._part(visitor):
            self._link(visitor, Link(acting, "own"))
        return taken

    def _forget(self, id: str) -> None:
        if id in self.parts:
            gone = component(self.parts, id)
            self.forgotten |= gone
            for each in gone:
                del self.parts[each]
