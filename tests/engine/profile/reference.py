"""A reference model of profiles: the rules again in their simplest form, to compare the product with.

Nothing here is fast, and it shares only the operations and `Members` with the product. The key of a cell is a path as a
tuple; a set's member has a last item `("member", kind, value)`, a list's element `("element", time, part, index)`.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

from engine.profile.document import LIST_CAP, SET_CAP, Members, Path
from engine.profile.operations import Add, Append, Increment, Operation, Remove, Set, Unset

NOTHING: Any = ...
NEVER = (-1, "")
CellKey = tuple[Any, ...]


class Unfit(Exception):
    """The operation does not fit."""


def rank(value: Any) -> tuple[int, Any]:
    if value is None:
        return 0, None
    return ({bool: 1, int: 2, float: 2, str: 3}[type(value)], value)


def ordered(values: Any) -> Members:
    return Members(sorted(dict(sorted((rank(v), v) for v in values)).values(), key=rank))


def is_number(value: Any) -> bool:
    return type(value) in (int, float)


def is_container(value: Any) -> bool:
    return isinstance(value, dict | list | tuple)


def pruned(value: Any) -> Any:
    """Return the value without empty objects, sets and lists, or NOTHING if nothing is left."""
    if isinstance(value, dict):
        return {k: p for k, v in value.items() if (p := pruned(v)) is not NOTHING} or NOTHING
    if isinstance(value, Members):
        return ordered(value) or NOTHING
    return (value[-LIST_CAP:] or NOTHING) if isinstance(value, list) else copy.deepcopy(value)


def get(tree: Any, path: Path) -> Any:
    for name in path:
        if not isinstance(tree, dict) or name not in tree:
            return NOTHING
        tree = tree[name]
    return tree


def wins(rule: str, new: Any, old: Any) -> bool:
    if new is None or old is None:
        return old is None
    return {"oldest": False, "min": rank(new) < rank(old), "max": rank(new) > rank(old)}[rule]


def check(tree: dict[str, Any], op: Operation, fields: dict[Path, str]) -> None:
    """Raise `Unfit` when the operation does not fit the tree."""
    path, now = op.path, get(tree, op.path)
    if isinstance(op, Unset):
        return
    for end in range(1, len(path)):
        above = get(tree, path[:end])
        if above is None:
            return
        if above is not NOTHING and not isinstance(above, dict):
            raise Unfit
    rule = fields.get(path)
    if isinstance(op, Set) and rule:
        plain = not (now is NOTHING or is_container(now) or now is None or op.value is None)
        if is_container(op.value) or (plain and rank(now)[0] != rank(op.value)[0]):
            raise Unfit
    if isinstance(op, Increment) and (rule or not (now in (NOTHING, None) or is_number(now))):
        raise Unfit
    if isinstance(op, Add | Remove) and not (now in (NOTHING, None) or isinstance(now, Members)):
        raise Unfit
    if (
        isinstance(op, Add)
        and isinstance(now, Members)
        and len(now) >= SET_CAP
        and rank(op.member) not in map(rank, now)
    ):
        raise Unfit
    if isinstance(op, Append) and not (now in (NOTHING, None) or isinstance(now, list)):
        raise Unfit


def apply_plainly(tree: dict[str, Any], op: Operation, fields: dict[Path, str] | None = None) -> dict[str, Any]:
    """Return a plain dictionary after one operation."""
    check(tree, op, fields or {})
    tree = copy.deepcopy(tree)
    now, rule = get(tree, op.path), (fields or {}).get(op.path)
    *above, last = op.path
    holder: Any = tree
    for name in above:
        if holder.get(name) is None or not isinstance(holder[name], dict):
            if isinstance(op, Unset | Remove):
                return tree
            holder[name] = {}
        holder = holder[name]
    if isinstance(op, Unset):
        holder.pop(last, None)
    elif isinstance(op, Set):
        plain = now is not NOTHING and not is_container(now)
        holder[last] = now if rule and plain and not wins(rule, op.value, now) else op.value
    elif isinstance(op, Increment):
        holder[last] = (0 if now in (NOTHING, None) else now) + op.by
    elif isinstance(op, Append):
        holder[last] = ([] if now in (NOTHING, None) else now) + [op.value]
    elif isinstance(op, Add):
        holder[last] = ordered([*(() if now in (NOTHING, None) else now), op.member])
    elif now is not NOTHING and now is not None:
        holder[last] = Members(m for m in now if rank(m) != rank(op.member))
    left = pruned(tree)
    return {} if left is NOTHING else left


# Parts ---------------------------------------------------------------------------------------------------------------


@dataclass
class ReferencePart:
    """One part: values and removals by cell, counters, and the other parts' counters that it replaced."""

    id: str
    created: int = 0
    last: int = 0
    values: dict[CellKey, tuple[int, Any]] = field(default_factory=dict)
    removals: dict[CellKey, int] = field(default_factory=dict)
    counts: dict[CellKey, tuple[int, int, Any]] = field(default_factory=dict)
    replaced: dict[tuple[CellKey, str], tuple[int, int, Any]] = field(default_factory=dict)


def under(cell: CellKey, top: CellKey) -> bool:
    return cell[: len(top)] == top


def superseded(parts: list[ReferencePart], cell: CellKey) -> tuple[int, str]:
    """Return the newest stamp of a write or removal that supersedes older values at `cell`."""
    stamps = [NEVER]
    for end in range(1, len(cell) + 1):
        for s in parts:
            if cell[:end] in s.removals:
                stamps.append((s.removals[cell[:end]], s.id))
            if cell[:end] in s.values and end < len(cell):
                stamps.append((s.values[cell[:end]][0], s.id))
    return max(stamps)


def counted(parts: list[ReferencePart], cell: CellKey) -> list[tuple[tuple[int, str], Any]]:
    """Return (stamp, amount) of each part's counter at `cell`, less the amount that another given part replaced."""
    found = []
    for s in parts:
        if cell not in s.counts:
            continue
        born, time, amount = s.counts[cell]
        replaced = [o.replaced[cell, s.id] for o in parts if (cell, s.id) in o.replaced]
        _, until, known = max((n for n in replaced if n[0] == born), default=(0, -1, 0), key=lambda n: n[1])
        if time > until:
            found.append(((time, s.id), amount - known))
    return found


def fold(parts: list[ReferencePart], fields: dict[Path, str]) -> dict[str, Any]:
    cells = {cell for s in parts for cell in (*s.values, *s.counts, *s.removals)}
    shown = settle(parts, cells, (), fields)[1]
    return {} if shown is NOTHING else shown


def settle(parts: list[ReferencePart], cells: set[CellKey], at: CellKey, fields: dict[Path, str]) -> tuple[Any, Any]:
    """Return (newest touch, visible value). Of a write and a removal at the same time, the write is newer."""
    floor = superseded(parts, at)
    values = [((s.values[at][0], s.id), s.values[at][1]) for s in parts if at in s.values]
    values = [value for value in values if value[0] >= floor]
    plain = plain_value(values, counted(parts, at), fields.get(at)) or (NEVER, NOTHING)
    happened = [(*stamp, True) for stamp in (plain[0], *(stamp for stamp, _ in values))]
    happened += [(s.removals[at], s.id, False) for s in parts if at in s.removals]
    kids_here = {cell[len(at)] for cell in cells if under(cell, at) and len(cell) > len(at)}
    kinds = [((*plain[0], True), 3, plain[1])]
    for tie, kind in enumerate(("name", "element", "member")):
        of_kind = [kid for kid in kids_here if (kid[0] if isinstance(kid, tuple) else "name") == kind]
        kids = {kid: settle(parts, cells, (*at, kid), fields) for kid in of_kind}
        alive = {kid: shown for kid, (_, shown) in kids.items() if shown is not NOTHING}
        happened += [stamp for stamp, _ in kids.values()]
        if alive:
            kinds.append((max(stamp for stamp, _ in kids.values()), tie, collected(kind, alive)))
    shown = max((each for each in kinds if each[2] is not NOTHING), key=lambda k: k[:2], default=(0, 0, NOTHING))[2]
    return max(happened), shown


def collected(kind: str, alive: dict[Any, Any]) -> Any:
    if kind == "name":
        return alive
    if kind == "member":
        return ordered(kid[2] for kid in alive)
    return [alive[kid] for kid in sorted(alive)][-LIST_CAP:]


def plain_value(values: list[Any], counts: list[Any], rule: str | None) -> Any:
    number = (max(stamp for stamp, _ in counts), sum(amount for _, amount in counts)) if counts else None
    if rule:
        candidates = values + ([number] if number else [])
        known = [value for value in candidates if value[1] is not None] or candidates
        if not candidates or rule == "oldest":
            return min(known, default=None, key=lambda each: each[0])
        value = {"min": min, "max": max}[rule]((each[1] for each in known), key=rank)
        return max(each[0] for each in candidates), value
    newest = max(values, default=None, key=lambda each: each[0])
    if newest and number and is_number(newest[1]):
        return max(newest[0], number[0]), newest[1] + number[1]
    return max((each for each in (number, newest) if each), default=None, key=lambda each: each[0])


def leaves(cell: CellKey, value: Any, part: str, time: int) -> Any:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves((*cell, name), inner, part, time)
    elif isinstance(value, Members):
        for each in value:
            yield (*cell, ("member", *rank(each))), True
    elif isinstance(value, list):
        for index, each in enumerate(value[-LIST_CAP:]):
            yield (*cell, ("element", time, part, index)), each
    else:
        yield cell, value


@dataclass
class ReferenceWriter:
    """Writes to the part `me` at one time, reading all parts."""

    parts: list[ReferencePart]
    me: ReferencePart
    time: int
    fields: dict[Path, str]

    def read(self) -> dict[str, Any]:
        return fold(self.parts, self.fields)

    def clear(self, top: CellKey) -> None:
        for kept in (self.me.values, self.me.removals, self.me.counts):
            for cell in [p for p in kept if under(p, top)]:
                del kept[cell]
        for other in (s for s in self.parts if s is not self.me):
            self.me.replaced.update({(p, other.id): count for p, count in other.counts.items() if under(p, top)})
        self.me.removals[top] = self.time

    def write(self, op: Operation) -> None:
        tree = self.read()
        check(tree, op, self.fields)
        null = next((op.path[:end] for end in range(1, len(op.path) + 1) if get(tree, op.path[:end]) is None), None)
        if isinstance(op, Remove) and null:
            return
        if isinstance(op, Unset):
            above = [get(tree, op.path[:end]) for end in range(1, len(op.path))]
            if all(value is NOTHING or isinstance(value, dict) for value in above):
                self.clear(op.path)
        else:
            if null:
                self.clear(null)
            for end in range(1, len(op.path) + isinstance(op, Add | Append)):
                if op.path[:end] in self.me.values:
                    self.me.removals[op.path[:end]] = self.me.values.pop(op.path[:end])[0]
            self.put(op)
        left, got = apply_plainly(tree, op, self.fields), self.read()
        for end in range(1, len(op.path) + 1):
            if get(left, op.path[:end]) is NOTHING and get(got, op.path[:end]) is not NOTHING:
                self.clear(op.path[:end])
                return

    def put(self, op: Operation) -> None:
        me, path = self.me, op.path
        if isinstance(op, Set) and path in self.fields:
            self.declare(path, op.value)
        elif isinstance(op, Set):
            self.clear(path)
            for cell, value in leaves(path, op.value, me.id, self.time):
                me.values[cell] = (self.time, value)
                me.removals.pop(cell, None)
        elif isinstance(op, Increment):
            born, _, amount = me.counts.get(path, (self.time, self.time, 0))
            me.counts[path] = (born, self.time, amount + op.by)
        elif isinstance(op, Append):
            elements = sorted(p for p in me.values if p[:-1] == path and p[-1][0] == "element")
            index = 1 + max((p[-1][3] for p in elements), default=0)
            me.values[*path, ("element", self.time, me.id, index)] = (self.time, op.value)
            for cell in elements[: max(0, len(elements) + 1 - LIST_CAP)]:
                del me.values[cell]
        elif isinstance(op, Add | Remove):
            cell = (*path, ("member", *rank(op.member)))
            me.values.pop(cell, None)
            me.removals.pop(cell, None)
            if isinstance(op, Add):
                me.values[cell] = (self.time, True)
            else:
                me.removals[cell] = self.time

    def declare(self, path: Path, value: Any) -> None:
        if is_container(get(self.read(), path)):
            self.clear(path)
        old = self.me.values.get(path)
        alive = old is not None and (old[0], self.me.id) >= superseded(self.parts, path)
        if not alive or wins(self.fields[path], value, old[1]):
            self.me.values[path] = (self.time, value)


@dataclass
class ReferenceProfiles:
    """All parts, and what each id has brought: (id, key, kind) with its state, `holds`, `ceased` or `undone`.

    The kind is `claim` or `proof`.
    """

    parts: dict[str, ReferencePart]
    fields: dict[Path, str] = field(default_factory=dict)
    brought: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def merge(self, a: str, b: str, key: str, claim: bool = False) -> None:
        for id in (a, b):
            self.bring(id, key, "claim" if claim else "proof")

    def bring(self, id: str, key: str, kind: str = "proof") -> None:
        if kind == "claim" and self.is_proven(id):
            return
        self.brought.setdefault((id, key, kind), "holds")
        for other in self.parts:
            if self.is_proven(other):
                for fact in [fact for fact in self.brought if fact[0] == other and fact[2] == "claim"]:
                    if self.brought[fact] == "holds":
                        self.brought[fact] = "ceased"

    def unmerge(self, id: str, key: str, kind: str = "proof") -> None:
        self.brought[id, key, kind] = "undone"

    def is_proven(self, id: str) -> bool:
        """Return whether the id, or one that proofs join with it, has ever brought a proof."""
        own = self.ids(id, own=True)
        return any(who in own and kind == "proof" for who, _, kind in self.brought)

    def ids(self, id: str, own: bool = False) -> set[str]:
        """Return the ids that are joined with an id; with `own` those that proofs alone join with it."""
        facts = [fact for fact, state in self.brought.items() if state == "holds" and (fact[2] == "proof" or not own)]
        found: set[str] = set()
        more = {id}
        while more - found:
            found |= more
            keys = {(key, kind) for who, key, kind in facts if who in found}
            more |= {who for who, key, kind in facts if (key, kind) in keys}
        return found

    def members(self, id: str) -> list[ReferencePart]:
        return [self.parts[i] for i in sorted(self.ids(id))]

    def canonical(self, id: str) -> str:
        return min((s.created, s.id) for s in self.members(id))[1]

    def read(self, id: str) -> dict[str, Any]:
        return fold(self.members(id), self.fields)

    def commit(self, id: str, ops: list[Operation], now: int) -> None:
        """Apply all operations or, when one does not fit, none."""
        before = copy.deepcopy(self.parts[id])
        parts = self.members(id)
        time = max(now, 1 + max(s.last for s in parts))
        try:
            for op in ops:
                ReferenceWriter(parts, self.parts[id], time, self.fields).write(op)
        except Unfit:
            self.parts[id] = before
            raise
        self.parts[id].last = time
