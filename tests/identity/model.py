"""The model that histories are compared with: ids joined by steps (union-find without the speed), with counters.

It knows no documents, versions or processes. What it allows is what the system may do.
"""

from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import combinations, permutations

from engine.profile.merge import step_id


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
    """An event under `id` that counts."""

    id: str
    by: int


@dataclass(frozen=True)
class Unmerge:
    """A step is undone."""

    step: str


Action = Identify | Alias | Track | Unmerge


@dataclass
class Model:
    """All that there is after some actions."""

    counts: dict[str, int] = field(default_factory=dict)  # of the ids that there are
    owners: dict[str, tuple[str, bool]] = field(default_factory=dict)  # key -> id, whether it is a mere claim
    steps: dict[str, Joined] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)  # how many came in under an id

    def do(self, action: Action) -> None:
        """Do one action."""
        if isinstance(action, Unmerge):
            self.steps[action.step].undone = True
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

    def _identify(self, id: str, key: str, trusted: bool) -> None:
        owner, claimed = self.owners.get(key, (id, not trusted))
        self.owners.setdefault(key, (owner, claimed))
        self._join(id, owner, key, claim=claimed or not trusted)
        if claimed and trusted:
            self.owners[key] = (id, False)

    def _join(self, left: str, right: str, cause: str, *, claim: bool) -> None:
        if left == right:
            return
        step = step_id(left, right, cause)
        known = self.steps.setdefault(step, Joined(left, right, cause, claim))
        if not known.undone:  # for good: it is proven no more
            known.claim = known.claim and claim

    def together(self, id: str, *, proven: bool = False) -> frozenset[str]:
        """The ids that are one profile with `id`."""
        found, todo = {id}, [id]
        while todo:
            one = todo.pop()
            for step in self.steps.values():
                if one in (step.left, step.right) and not step.undone and not (proven and step.claim):
                    other = step.right if one == step.left else step.left
                    if other not in found:
                        found.add(other)
                        todo.append(other)
        return frozenset(found)

    def count(self, id: str) -> int:
        """What the profile with that id counts."""
        return sum(self.counts[each] for each in self.together(id))


def outcomes(model: Model, actions: Iterable[Action]) -> Iterator[Model]:
    """What may have become of actions that were done at the same time: what any order of them gives."""
    for order in permutations(actions):
        # Whether an id is there is no promise: who names one that is only just being made may find nobody.
        bold = [action for action in order if isinstance(action, Alias) and action.other not in model.counts]
        for missed in [set(some) for size in range(len(bold) + 1) for some in combinations(bold, size)]:
            after = deepcopy(model)
            for action in order:
                after.do(Track(action.id, 0) if action in missed else action)
            yield after
