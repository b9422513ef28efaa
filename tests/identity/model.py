"""The model that histories are compared with: ids joined by steps (union-find without the speed), with counters.

It knows no documents, versions or processes. What it allows is what the system may do.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import combinations, permutations

from engine.profile.merge import link_id


@dataclass
class Joined:
    """Two ids joined for one cause."""

    left: str
    right: str
    cause: str
    claim: bool
    undone: bool = False


@dataclass(frozen=True)
class Identify:
    """An event under `id` that brings keys (as causes)."""

    id: str
    keys: tuple[str, ...]
    trusted: bool = True


@dataclass(frozen=True)
class Alias:
    """An event under `id` that names another id."""

    id: str
    other: str
    trusted: bool = True


@dataclass(frozen=True)
class Track:
    """An event under `id` that counts some tenths."""

    id: str
    by: int


@dataclass(frozen=True)
class Unmerge:
    """A step is undone."""

    step: str


@dataclass(frozen=True)
class Forget:
    """All that is together with `id` is forgotten; and `also` what was so when that began."""

    id: str
    also: frozenset[str] = frozenset()


Action = Identify | Alias | Track | Unmerge | Forget


@dataclass
class Model:
    """All that there is after some actions."""

    counts: dict[str, int] = field(default_factory=dict)  # tenths, of the ids that there are
    owners: dict[str, tuple[str, bool]] = field(default_factory=dict)  # key -> id, whether it is a mere claim
    links: dict[str, Joined] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)  # how many came in under an id
    forgotten: set[str] = field(default_factory=set)

    def do(self, action: Action) -> None:
        """Do one action."""
        if isinstance(action, Forget):
            self._forget(action)
            return
        if isinstance(action, Unmerge):
            if action.step in self.links:
                self.links[action.step].undone = True
            return
        if action.id in self.forgotten:  # what comes late is refused
            return
        self.counts.setdefault(action.id, 0)
        self.events[action.id] = self.events.get(action.id, 0) + 1
        match action:
            case Track(id, by):
                self.counts[id] += by
            case Alias(id, other, trusted) if other in self.counts:
                self._join(id, other, "alias", claim=not trusted)
            case Identify(id, keys, trusted):
                for key in keys:
                    self._identify(id, key, trusted)

    def _forget(self, action: Forget) -> None:
        gone = {id for each in (action.id, *action.also) if each in self.counts for id in self.together(each)}
        self.forgotten |= gone
        self.counts = {id: count for id, count in self.counts.items() if id not in gone}
        self.events = {id: count for id, count in self.events.items() if id not in gone}
        self.owners = {key: owner for key, owner in self.owners.items() if owner[0] not in gone}
        # What has been undone stays as a mark on the other side.
        self.links = {name: step for name, step in self.links.items() if not {step.left, step.right} <= self.forgotten}

    def _identify(self, id: str, key: str, trusted: bool) -> None:
        owner, claimed = self.owners.get(key, (id, not trusted))
        self.owners.setdefault(key, (owner, claimed))
        self._join(id, owner, key, claim=claimed or not trusted)
        if claimed and trusted:
            self.owners[key] = (id, False)

    def _join(self, left: str, right: str, cause: str, *, claim: bool) -> None:
        if left == right:
            return
        step = link_id(left, right, cause)
        known = self.links.setdefault(step, Joined(left, right, cause, claim))
        if not known.undone:  # for good: it is proven no more
            known.claim = known.claim and claim

    def together(self, id: str, *, proven: bool = False) -> frozenset[str]:
        """The ids that are one profile with `id`."""
        found, todo = {id}, [id]
        while todo:
            one = todo.pop()
            for step in self.links.values():
                if one in (step.left, step.right) and not step.undone and not (proven and step.claim):
                    other = step.right if one == step.left else step.left
                    if other not in found:
                        found.add(other)
                        todo.append(other)
        return frozenset(found)

    def count(self, id: str) -> int:
        """Return the count of the profile with that id."""
        return sum(self.counts[each] for each in self.together(id))


def outcomes(model: Model, actions: Iterable[Action]) -> Iterator[Model]:
    """Return the possible results of concurrent actions: those of all their orders."""
    for order in permutations(actions):
        # Whether an id is there is no promise: who names one that is only just being made may find nobody.
        bold = [action for action in order if isinstance(action, Alias) and action.other not in model.counts]
        for missed in [set(some) for size in range(len(bold) + 1) for some in combinations(bold, size)]:
            for early in (False, True) if any(isinstance(action, Forget) for action in order) else (False,):
                after = deepcopy(model)
                for action in order:
                    after.do(_as_it_went(action, model if early else None, missed))
                yield after


def _as_it_went(action: Action, before: Model | None, missed: set[Alias]) -> Action:
    if isinstance(action, Alias) and action in missed:
        return Track(action.id, 0)
    if isinstance(action, Forget) and before is not None:  # who was together when it began may be apart by now
        return Forget(action.id, before.together(action.id))
    return action
