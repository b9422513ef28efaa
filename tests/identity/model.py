"""The rules of joining, written a second time: the outcome of histories is compared with them.

Ids, keys and the links between them; no documents, versions or processes. A claimed and a proven key are two things of
different names. Whatever the product stores, it must come to the same groups, values and states of links.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations, permutations
from typing import Literal, NamedTuple

Kind = Literal["claim", "proof", "own"]
Verdict = Literal["", "undone", "proven", "limit", "other", "failed", "missing", "forgotten"]

EXCLUSIVE = "traits.customer"
MAX_IDS = 100


class Fact(NamedTuple):
    """A link without its state: an id is joined with a key, or with another id."""

    left: str
    right: str
    kind: Kind


class Link(NamedTuple):
    """The state of a link. One that is not `kept` is the claim of a key that nobody else has claimed yet."""

    alias: bool = False
    ceased: bool = False
    undone: bool = False
    kept: bool = True

    @property
    def holds(self) -> bool:
        """Whether it joins its two sides."""
        return not self.ceased and not self.undone


@dataclass(frozen=True)
class Event:
    """An event under `id`: it counts some tenths, says values by path, brings keys, and names another id.

    A key is its path and value, `pii.email=x`. The event of a pair has the id of its `device` before any login, and
    its user as a key.
    """

    id: str
    by: int = 0
    says: tuple[tuple[str, str], ...] = ()
    keys: tuple[tuple[str, Kind], ...] = ()
    other: str = ""
    other_kind: Kind = "claim"
    device: str = ""
    user: str = ""
    user_kind: Kind = "claim"
    previous: str = ""


@dataclass(frozen=True)
class Undo:
    """An operator undoes a link."""

    fact: Fact


@dataclass(frozen=True)
class Forget:
    """All that is together with `id` is forgotten; and `also` what was so when that began."""

    id: str
    also: frozenset[str] = frozenset()


Action = Event | Undo | Forget


def thing(key: str, kind: Kind) -> str:
    """The name of a key in links."""
    return f"{'?' if kind == 'claim' else '!'}{key}"


def path_of(thing: str) -> str:
    """The path of a key; empty for an id."""
    path, equals, _ = thing.lstrip("?!").partition("=")
    return path if equals else ""


def split_key(key: str) -> tuple[str, str]:
    """The path and the value of a key."""
    path, _, value = key.partition("=")
    return path, value


@dataclass
class Model:
    """All that there is after some actions."""

    most_per_key: int = 99
    counts: dict[str, int] = field(default_factory=dict)  # tenths, of the ids that there are
    said: dict[str, dict[str, frozenset[str]]] = field(default_factory=dict)  # values that an id has said, by path
    users: dict[str, str] = field(default_factory=dict)  # of pairs: the user as a key
    links: dict[Fact, Link] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)  # how many came in under an id
    forgotten: frozenset[str] = frozenset()
    erased: tuple[frozenset[str], ...] = ()  # what was forgotten together
    lasting: frozenset[Fact] = frozenset()  # all proofs and own links that there have ever been

    def copy(self) -> "Model":
        """Return a model that can go on by itself."""
        return replace(
            self,
            counts=dict(self.counts),
            said=dict(self.said),
            users=dict(self.users),
            links=dict(self.links),
            events=dict(self.events),
        )

    # ---- groups -----------------------------------------------------------------------------------------------------

    def group(self, id: str) -> frozenset[str]:
        """The ids that are one profile with `id`."""
        return self._reach(id, {fact for fact, link in self.links.items() if link.holds})

    def hers(self, id: str) -> frozenset[str]:
        """The ids that proofs and own links join with `id`."""
        return self._reach(id, {fact for fact, link in self.links.items() if link.holds and fact.kind != "claim"})

    def ever_hers(self, id: str) -> frozenset[str]:
        """The ids that proofs and own links have ever joined with `id`, whatever was undone or forgotten since."""
        return frozenset(each for each in _connected(id, self.lasting) if not each.startswith("!"))

    def proven(self, id: str) -> bool:
        """Whether one of hers has ever brought a proof."""
        return self._any_proof(self.hers(id))

    def values(self, ids: Collection[str]) -> frozenset[str]:
        """The values of the exclusive key that a profile of `ids` has."""
        kind: Kind = "proof" if self._any_proof(ids) else "claim"
        brought = {
            fact.right.lstrip("?!")
            for fact, link in self.links.items()
            if link.holds and fact.kind == kind and fact.left in ids and path_of(fact.right) == EXCLUSIVE
        }
        return frozenset(brought | {self.users[id] for id in ids if id in self.users})

    def has_alias(self, ids: Collection[str]) -> bool:
        """Whether an alias lets a second value into a profile of `ids`, or has let one in before it was undone."""
        return any(link.alias and fact.left in ids for fact, link in self.links.items())

    def count(self, id: str) -> int:
        """The count of the profile with that id."""
        return sum(self.counts[each] for each in self.group(id))

    def shown(self, id: str, path: str) -> frozenset[str]:
        """The values of which the profile with that id shows one at `path`."""
        return frozenset().union(*[self.said.get(each, {}).get(path, frozenset()) for each in self.group(id)])

    def _any_proof(self, ids: Collection[str]) -> bool:
        return any(fact.kind == "proof" and (fact.left in ids or fact.right in ids) for fact in self.links)

    def _reach(self, id: str, facts: Collection[Fact]) -> frozenset[str]:
        return frozenset(_connected(id, facts) & self.counts.keys() | {id})

    # ---- actions ----------------------------------------------------------------------------------------------------

    def do(self, action: Action) -> list[Verdict]:
        """Do one action. Returns what has become of each key that it brings."""
        if isinstance(action, Forget):
            return self._forget(action)
        if isinstance(action, Undo):
            if action.fact in self.links:
                self.links[action.fact] = self.links[action.fact]._replace(undone=True)
            return []
        if action.id in self.forgotten:  # what comes late is refused
            return ["forgotten"]
        return self._event(action)

    def _event(self, event: Event) -> list[Verdict]:
        id = event.id
        there = event.other in self.counts  # before the event itself makes its device
        self.counts[id] = self.counts.get(id, 0) + event.by
        self.events[id] = self.events.get(id, 0) + 1
        verdicts: list[Verdict] = []
        if event.user:
            verdicts += self._pair(event)
        for path, value in event.says:
            self._say(id, path, value)
        if event.keys:
            verdicts += self._bring(id, event.keys)
        if event.other and event.other != id:
            verdicts.append(self.take(Fact(id, event.other, event.other_kind)) if there else "missing")
        return verdicts

    def _pair(self, event: Event) -> list[Verdict]:
        self.users[event.id] = event.user
        verdicts: list[Verdict] = []
        if event.device and event.device not in self.forgotten:
            self.counts.setdefault(event.device, 0)
            verdicts.append(self.take(Fact(event.device, event.id, "own")))
        user = Fact(event.id, thing(event.user, event.user_kind), event.user_kind)
        known = user in self.links
        verdicts.append(self.take(user))
        if not verdicts[-1] and not known:
            self._say(event.id, *split_key(event.user))
        if event.previous:
            fact = Fact(event.id, thing(event.previous, event.user_kind), event.user_kind)
            verdicts.append(self.take(fact, alias=True))
        return verdicts

    def _bring(self, id: str, keys: Collection[tuple[str, Kind]]) -> list[Verdict]:
        """Bring keys one after another; beside a proof, claims are data.

        If a limit keeps a proof from being taken, and nobody is joined, nothing of it counts.
        """
        before, joined = self.copy(), False
        verdicts: list[Verdict] = []
        any_proof = any(kind == "proof" for _, kind in keys)
        for key, kind in keys:
            near = self.group(id)
            verdict = self.take(Fact(id, thing(key, kind), kind)) if kind == "proof" or not any_proof else "proven"
            joined = joined or not self.group(id) <= near
            if verdict in ("", "proven") or (verdict == "limit" and kind == "claim"):
                self._say(id, *split_key(key))
            verdicts.append("failed" if verdict == "limit" and kind == "proof" else verdict)
        if "failed" in verdicts and "other" not in verdicts and not joined:
            self.links, self.said = before.links, before.said
            return ["failed" for _ in verdicts]
        return verdicts

    def _say(self, id: str, path: str, value: str) -> None:
        self.said[id] = {**self.said.get(id, {}), path: frozenset({value})}

    def _forget(self, action: Forget) -> list[Verdict]:
        gone = frozenset(id for each in (action.id, *action.also) if each in self.counts for id in self.group(each))
        self.forgotten |= gone
        self.erased = (*self.erased, gone)
        for kept in (self.counts, self.said, self.users, self.events):
            for id in gone & kept.keys():
                del kept[id]
        # A link between two ids stays as a mark at the side that is left.
        self.links = {
            fact: link
            for fact, link in self.links.items()
            if not self.counts.keys().isdisjoint((fact.left, fact.right))
        }
        return []

    # ---- links ------------------------------------------------------------------------------------------------------

    def take(self, fact: Fact, *, alias: bool = False) -> Verdict:
        """Add a link if the rules allow it. Returns why they do not."""
        if fact.kind == "claim" and any(end in self.counts and self.proven(end) for end in fact[:2]):
            return "proven"
        known = self.links.get(fact)
        if known is not None:
            return "" if known.holds else "undone"
        if fact.kind == "own" and any(other.kind == "own" and other.left == fact.left for other in self.links):
            return "undone"
        after = self.copy()
        after.links[fact] = Link(alias=alias, kept=not _is_ordinary_claim(fact))
        if fact.kind != "claim":
            after._settle()
        if not alias and not self._one_value(after, fact):
            return "other"
        if not alias:
            after._leave_others(fact)
        if after._beyond_limits(fact):
            return "limit"
        after._keep_shared(fact)
        self.links = after.links
        self.lasting |= {fact} if fact.kind != "claim" else set()
        return ""

    def _settle(self) -> None:
        """Claims of the proven cease."""
        for fact, link in self.links.items():
            if fact.kind == "claim" and link.holds and any(end in self.counts and self.proven(end) for end in fact[:2]):
                self.links[fact] = link._replace(ceased=True)

    def _one_value(self, after: "Model", fact: Fact) -> bool:
        """Whether a link brings no second value of the exclusive key to those whom it joins.

        A proof, an own link and the key itself are judged by what is hers, a claim by all who are together.
        """
        brought = frozenset({fact.right.lstrip("?!")}) if path_of(fact.right) == EXCLUSIVE else frozenset()
        alone = bool(brought) or fact.kind != "claim"
        reached = after.hers(fact.left) if alone else after.group(fact.left)
        sides = {self.values(self.hers(id) if alone else self.group(id)) for id in reached} | {brought}
        together = frozenset[str]().union(*sides)
        return len(together) < 2 or together in sides

    def _leave_others(self, fact: Fact) -> None:
        """If those who are joined with her by claims have another value than she brings, her other claims cease."""
        if fact.kind == "claim" and path_of(fact.right) != EXCLUSIVE:
            return
        if len(self.values(self.group(fact.left))) < 2:
            return
        hers = self.hers(fact.left)
        for other, link in self.links.items():
            claims = other.kind == "claim" and link.holds and link.kept and path_of(other.right) != EXCLUSIVE
            if claims and not hers.isdisjoint(other[:2]):
                self.links[other] = link._replace(ceased=True)

    def _beyond_limits(self, fact: Fact) -> bool:
        ids = self.group(fact.left) if fact.kind == "claim" else self.hers(fact.left)
        if len(ids) > MAX_IDS:
            return True
        others = [
            other for other, link in self.links.items() if other.right == fact.right and link.holds and other != fact
        ]
        return path_of(fact.right) not in ("", EXCLUSIVE) and len(others) > self.most_per_key

    def _keep_shared(self, fact: Fact) -> None:
        """A claim of a key is kept from the second one on."""
        if not _is_ordinary_claim(fact):
            return
        sharing = [other for other, link in self.links.items() if other.right == fact.right and link.holds]
        if len(sharing) > 1:
            for other in sharing:
                self.links[other] = self.links[other]._replace(kept=True)


def _connected(id: str, facts: Collection[Fact]) -> frozenset[str]:
    """All ids and keys that are connected with `id`, itself included."""
    found, grown = {id}, True
    while grown:
        more = {end for fact in facts if not found.isdisjoint(fact[:2]) for end in fact[:2]}
        grown = not more <= found
        found |= more
    return frozenset(found)


def _is_ordinary_claim(fact: Fact) -> bool:
    return fact.kind == "claim" and path_of(fact.right) not in ("", EXCLUSIVE)


# ---- concurrent actions ---------------------------------------------------------------------------------------------


def outcomes(model: Model, actions: Iterable[Action]) -> Iterator[Model]:
    """Return the possible results of concurrent actions: those of all their orders."""
    for order in permutations(actions):
        # Whether an id is there is no promise: who names one that is only just being made may find nobody.
        bold = [each for each in order if isinstance(each, Event) and each.other and each.other not in model.counts]
        for missed in [set(some) for size in range(len(bold) + 1) for some in combinations(bold, size)]:
            for early in (False, True) if any(isinstance(action, Forget) for action in order) else (False,):
                after = model.copy()
                for action in order:
                    after.do(_as_it_went(action, model if early else None, missed))
                yield _with_all_said(after, order)


def _as_it_went(action: Action, before: Model | None, missed: Collection[Action]) -> Action:
    if isinstance(action, Event) and action in missed:
        return replace(action, other="")
    if isinstance(action, Forget) and before is not None:  # who was together when it began may be apart by now
        return Forget(action.id, before.group(action.id))
    return action


def _with_all_said(model: Model, actions: Iterable[Action]) -> Model:
    """Return the model in which whatever an id said at once with others may show."""
    for event in actions:
        if isinstance(event, Event):
            for path, value in [*event.says, *(split_key(key) for key, _ in event.keys)]:
                said = model.said.get(event.id, {})
                if path in said:
                    model.said[event.id] = {**said, path: said[path] | {value}}
    return model
