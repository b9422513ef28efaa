"""The product's rules of links (`engine/profile/linking.py`) make the same groups as the model's, after any facts."""

import random

from msgspec import structs

from engine.profile.document import LinkKind, Part
from engine.profile.linking import LinkRules, Pool, accept, component, groups, is_proven, link_id, new_link, undo
from tests.fast import cases
from tests.model.facts import Alias, AliasById, Brings, Fact, Login, Standing, Undo, Visit
from tests.model.rules import USER, pair

IDS, KEYS, USERS = "ABCD", ("e:1", "k:1", f"{USER}:1", f"{USER}:2"), "12"
KINDS: tuple[LinkKind, ...] = ("claim", "proof")
RULES = LinkRules(frozenset({USER}), max_per_key=1_000)
HISTORIES = cases(4_000, divisor=20)


class Product:
    """The pool of the product after some facts, by the same steps as the model takes."""

    def __init__(self) -> None:
        self.pool = Pool({}, {})

    def add(self, fact: Fact) -> None:
        """Apply a fact."""
        match fact:
            case Visit(id):
                self._part(id)
            case Brings(id, key, kind) if kind != "own":
                self._key(id, key, kind)
            case Login(visitor, user, kind) if kind != "own":
                self._login(visitor, user, kind)
            case Alias(visitor, user, other, kind) if kind != "own":
                self._login(visitor, user, kind)
                self._key(pair(visitor, user), f"{USER}:{other}", kind, alias=True)
            case AliasById(id, other, kind):
                self._part(id)
                if other in self.pool.parts and other != id:
                    self._link(id, kind, other)
            case Undo(id, link):
                found = link_id(id, link.kind, link.to.removeprefix("!"))
                if found in self.pool.links:
                    self.pool = undo(self.pool, found, 1)

    def together(self) -> set[frozenset[str]]:
        """The groups."""
        return set(groups(self.pool))

    def proven(self) -> set[str]:
        """The ids of which anything is proven."""
        return {id for id in self.pool.parts if is_proven(self.pool, component(self.pool, id, claims=False))}

    def _part(self, id: str, user: str = "") -> None:
        if id not in self.pool.parts:
            part = Part(id, 1, user=f"{USER}:{user}" if user else "")
            self.pool = Pool({**self.pool.parts, id: part}, self.pool.links)

    def _key(self, id: str, name: str, kind: LinkKind, *, alias: bool = False) -> None:
        self._part(id)
        self._link(id, kind, f"?{name}" if kind == "claim" else name, alias=alias)

    def _link(self, id: str, kind: LinkKind, right: str, *, alias: bool = False) -> None:
        link = structs.replace(new_link(id, kind, right), alias=alias)
        self.pool = accept(self.pool, (link,), RULES, 1).pool

    def _login(self, visitor: str, user: str, kind: LinkKind) -> None:
        acting = pair(visitor, user)
        self._part(acting, user)
        self._key(acting, f"{USER}:{user}", kind)
        self._part(visitor)
        self._link(visitor, "own", acting)


def some_fact(chance: random.Random, standing: Standing) -> Fact:
    """Return a random fact; a link that is undone is one that holds."""
    id, kind = chance.choice(IDS), chance.choice(KINDS)
    if chance.random() < 0.4:
        id = pair(id, chance.choice(USERS))
    match chance.choices(range(6), (6, 4, 1, 1, 1, 1))[0]:
        case 0:
            return Brings(id, chance.choice(KEYS), kind)
        case 1:
            return Login(chance.choice(IDS), chance.choice(USERS), kind)
        case 2:
            user, other = chance.sample(USERS, 2)
            return Alias(chance.choice(IDS), user, other, kind)
        case 3:
            return AliasById(id, chance.choice(sorted(standing.parts) or [id]), kind)
        case 4 if holding := sorted(standing.holding()):
            return Undo(*chance.choice(holding))
    return Visit(id)


def test_the_product_joins_and_proves_the_same_ids_as_the_model() -> None:
    for seed in range(HISTORIES):
        chance, standing, product, facts = random.Random(seed), Standing(), Product(), list[Fact]()
        for _ in range(chance.randint(2, 14)):
            facts.append(some_fact(chance, standing))
            standing.add(facts[-1])
            product.add(facts[-1])
            assert (product.together(), product.proven()) == (standing.together(), standing.proven()), (seed, facts)
