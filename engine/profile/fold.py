"""The fold: one view of all parts of a profile together.

Every write has a stamp, (time, part id); a newer stamp supersedes older ones at and below its path. `_settle` walks the
tree of all cells with a *floor*, the newest stamp that supersedes cells at this path; older cells do not show. A number
is the newest value plus every counter, each less the amount that a later `set` in another part replaced. If parts
disagree about the kind, so that cells of different kinds are alive at one path, the newest kind shows.

A single part hardly ever needs this: none of its cells is older than a write that supersedes it, so its cells are its
view.
"""

from collections.abc import Collection, Iterable
from typing import Any

from engine.language.buckets import total
from engine.language.decimals import Exact, exact_difference, nearest_number
from engine.profile.cellpath import ELEMENT, MEMBER, cell_path, element_of, member_of, path_of, unescaped
from engine.profile.declared import Fields, Rule, best
from engine.profile.document import LIST_CAP, CellPath, Part, Profile, Scalar
from engine.profile.rounded_view import Sums, with_sums
from engine.profile.tally import COUNTERS, sum_tallies
from engine.profile.tree import View, look
from engine.profile.value import ABSENT, members

Stamp = tuple[int, str]  # (ms, part id); ties of time go by id
Kid = str | tuple[int, str, int]  # a segment of a cell path, or a list's element as (time, part id, index)

Touch = tuple[int, str, bool]  # a stamp, and whether it is of a write rather than of a removal

NEVER: Stamp = (-1, "")
PLAIN = "~~"  # the kind of values and numbers; sorts after the kinds of kids


def fold(profile: Profile, fields: Fields | None = None) -> View:
    """Return the tree of `traits`, `pii`, `consents`, `segments` and `counters` that all parts of a profile make."""
    return fold_parts(profile.parts.values(), fields)


def fold_parts(parts: Collection[Part], fields: Fields | None = None) -> View:
    """Return the tree that some parts make together."""
    view = _fold_cells(parts, fields)
    counters = sum_tallies(parts)
    if counters:
        view[COUNTERS] = counters
    return view


def _fold_cells(parts: Collection[Part], fields: Fields | None) -> View:
    """Return the tree of the cells of some parts, without tallies."""
    if len(parts) == 1:
        (part,) = parts
        view = _fold_one(part, fields)
        if view is not None:
            return view
    rules = {cell_path(path): rule for path, rule in fields.items()} if fields else {}
    sums: dict[CellPath, str] = {}
    _, view = _settle(_gather(parts), NEVER, "", rules, sums)
    if view is ABSENT:
        return {}
    by_path = {path_of(cell): sum for cell, sum in sums.items()}
    return with_sums(view, {path: sum for path, sum in by_path.items() if look(view, path) == float(sum)})


# One part ------------------------------------------------------------------------------------------------------------


def _fold_one(part: Part, fields: Fields | None) -> View | None:
    """Return the tree of a single part, or None when it has cells of different kinds at one path."""
    view: View = {}
    objects: dict[CellPath, View] = {"": view}
    special: list[CellPath] = []
    sums: Sums = {}
    for cell, value in part.cells.items():
        if "~" in cell:
            special.append(cell)
            continue
        above, _, name = cell.rpartition(".")
        holder = objects.get(above)
        if holder is None:
            holder = _object(objects, above)
        holder[name] = value
    groups = _grouped(part, objects, special) if special else {}
    for cell, (_, _, amount) in part.counts.items():
        above, _, segment = cell.rpartition(".")
        holder, name = _object(objects, above), unescaped(segment)
        known = holder.get(name, 0)
        if not (type(known) is int or type(known) is float) or (fields and path_of(cell) in fields):
            return None
        holder[name] = shown = total([known, amount])
        if type(shown) is str:
            holder[name] = nearest_number(shown)
            sums[path_of(cell)] = shown
    for above, group in groups.items():
        if above in part.cells or above in part.counts or group is None:
            return None
        parent, _, segment = above.rpartition(".")
        _object(objects, parent)[unescaped(segment)] = group
    for above in objects:
        if above in part.cells or above in part.counts or above in groups:
            return None
    return with_sums(view, sums) if sums else view


def _object(objects: dict[CellPath, View], cell: CellPath) -> View:
    """Return the object at `cell`, creating it and those above it as needed."""
    known = objects.get(cell)
    if known is None:
        above, _, segment = cell.rpartition(".")
        known = objects[cell] = _object(objects, above)[unescaped(segment)] = {}
    return known


def _grouped(part: Part, objects: dict[CellPath, View], special: Iterable[CellPath]) -> dict[CellPath, Any]:
    """Return the sets and lists of `special` cells by cell path; None where a set and a list have one path.

    Other special cells, whose names are escaped, are written to their objects.
    """
    sets: dict[CellPath, list[Scalar]] = {}
    lists: dict[CellPath, list[tuple[tuple[int, int], Any]]] = {}
    for cell in special:
        above, _, segment = cell.rpartition(".")
        if segment.startswith(MEMBER):
            sets.setdefault(above, []).append(member_of(segment))
        elif segment.startswith(ELEMENT):
            lists.setdefault(above, []).append((element_of(segment), part.cells[cell]))
        else:
            _object(objects, above)[unescaped(segment)] = part.cells[cell]
    groups: dict[CellPath, Any] = {cell: members(values) for cell, values in sets.items()}
    for cell, elements in lists.items():
        elements.sort(key=_stamp_of)
        groups[cell] = None if cell in sets else [value for _, value in elements[-LIST_CAP:]]
    return groups


def _stamp_of(element: tuple[tuple[int, int], Any]) -> tuple[int, int]:
    return element[0]


# Several parts -------------------------------------------------------------------------------------------------------


class _Node:
    """The cells of all parts at one path, and the nodes below it."""

    __slots__ = ("counts", "kids", "mark", "registers")

    def __init__(self) -> None:
        self.registers: list[tuple[Stamp, Any]] = []
        self.counts: list[tuple[Stamp, Exact]] = []
        self.mark = NEVER  # the newest removal
        self.kids: dict[Kid, _Node] = {}

    def below(self, segments: Iterable[Kid]) -> "_Node":
        """Return the node at `segments` below this one, creating it as needed."""
        node = self
        for segment in segments:
            kid = node.kids.get(segment)
            if kid is None:
                kid = node.kids[segment] = _Node()
            node = kid
        return node


def _gather(parts: Collection[Part]) -> _Node:
    """Return the tree of all cells of the parts; counters are reduced by the amounts that other parts replaced."""
    root, replaced = _Node(), _replaced_counts(parts)
    for part in parts:
        for cell, value in part.cells.items():
            above, _, last = cell.rpartition(".")
            if last.startswith(ELEMENT):
                time, index = element_of(last)
                node = root.below([*above.split("."), (time, part.id, index)])
            else:
                time = part.base + part.times.get(cell, 0)
                node = root.below(cell.split("."))
            node.registers.append(((time, part.id), value))
        for cell, after in part.marks.items():
            node = root.below(cell.split("."))
            node.mark = max(node.mark, (part.base + after, part.id))
        for cell, (_, time, amount) in part.counts.items():
            replaced_time, replaced_amount = replaced.get((cell, part.id), (-1, 0))
            if time > replaced_time:
                node = root.below(cell.split("."))
                since = exact_difference(amount, replaced_amount) if replaced_amount else amount
                node.counts.append(((time, part.id), since))
    return root


def _replaced_counts(parts: Collection[Part]) -> dict[tuple[CellPath, str], tuple[int, Exact]]:
    """Return, by (cell, part id) of a counter, the (time, amount) up to which a `set` in another part replaced it.

    A counter that starts again after it was replaced is another counter: `born` differs.
    """
    counts = {part.id: part.counts for part in parts}
    replaced: dict[tuple[CellPath, str], tuple[int, Exact]] = {}
    for part in parts:
        for other, cells in part.seen_counts.items():
            for cell, (born, time, amount) in cells.items():
                count = counts.get(other, {}).get(cell)
                if count is not None and count[0] == born and time > replaced.get((cell, other), (-1, 0))[0]:
                    replaced[cell, other] = (time, amount)
    return replaced


def _settle(
    node: _Node, floor: Stamp, cell: CellPath, rules: dict[CellPath, Rule], sums: dict[CellPath, str]
) -> tuple[Touch, Any]:
    """Return (last touch, value or ABSENT) of a node. `floor` is the newest stamp that supersedes cells above it.

    A removal is a touch too: of two kinds that are alive, the one with the last write or removal shows. The exact
    decimals of rounded sums are added to `sums`.
    """
    floor = max(floor, node.mark)
    registers = [register for register in node.registers if register[0] >= floor]
    below = max([floor, *(stamp for stamp, _ in registers)])
    stamp, shown, exact = _plain(registers, node.counts, rules.get(cell))
    if exact is not None:
        sums[cell] = exact
    last = max((*stamp, True), *((*at, True) for at, _ in registers), (*node.mark, False))
    kinds: dict[str, tuple[Touch, dict[Kid, Any]]] = {}
    for kid, inner in node.kids.items():
        touch, value = _settle(inner, below, f"{cell}.{kid}" if cell else str(kid), rules, sums)
        before, alive = kinds.get(_kind(kid), (touch, {}))
        if value is not ABSENT:
            alive[kid] = value
        kinds[_kind(kid)] = max(before, touch), alive
        last = max(last, touch)
    lead = (*stamp, True), PLAIN
    for kind, (touch, alive) in kinds.items():
        if alive and (shown is ABSENT or (touch, kind) > lead):
            lead, shown = (touch, kind), _collected(kind, alive)
    return last, shown


def _plain(
    registers: list[tuple[Stamp, Any]], counts: list[tuple[Stamp, Exact]], rule: Rule | None
) -> tuple[Stamp, Any, str | None]:
    """Return (stamp, value or ABSENT, decimals of a rounded sum) of registers and counters.

    At a declared path the counters' sum is one value.
    """
    nothing: tuple[Stamp, Any] = (NEVER, ABSENT)
    amounts = [amount for _, amount in counts]
    counted = max((stamp for stamp, _ in counts), default=NEVER)
    if rule:
        candidates = [*registers, (counted, nearest_number(total(amounts)))] if counts else registers
        return *(best(rule, candidates) if candidates else nothing), None
    stamp, value = max(registers, key=lambda register: register[0], default=nothing)
    if counts and (type(value) is int or type(value) is float):
        amounts.append(value)
    elif counted <= stamp:
        return stamp, value, None
    sum = total(amounts)
    return max(counted, stamp), nearest_number(sum), sum if isinstance(sum, str) else None


def _kind(kid: Kid) -> str:
    """Return the kind of a node that has this kid: "" for an object, MEMBER for a set, ELEMENT for a list."""
    if isinstance(kid, tuple):
        return ELEMENT
    return MEMBER if kid.startswith(MEMBER) else ""


def _collected(kind: str, alive: dict[Any, Any]) -> Any:
    """Return the object, set or list that kids of one kind make."""
    if kind == ELEMENT:
        return [alive[kid] for kid in sorted(alive)][-LIST_CAP:]
    if kind == MEMBER:
        return members(map(member_of, alive))
    return {unescaped(kid): value for kid, value in alive.items()}
