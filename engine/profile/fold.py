"""The fold: what all parts of a profile show together, as one view.

Every write has a stamp, (time, part id); newer stamps supersede older ones at and below their path. `settle` walks the
tree of all cells with a *floor*, the newest stamp that superseded what lies here; what is older is gone. A number is
the newest value plus every counter, each less what a later `set` in another part had seen of it. Where merged pasts
differ in kind, so that cells of different kinds are alive at one path, the newest kind shows.

One part alone hardly ever needs that: nothing in it is older than what supersedes it, so its cells are its view.
"""

from collections.abc import Collection, Iterable
from typing import Any

from engine.language.buckets import Number, total
from engine.profile.cellpath import ELEMENT, MEMBER, cell_path, element_of, member_of, path_of, read
from engine.profile.declared import Fields, Rule, best
from engine.profile.document import LIST_CAP, CellPath, Part, Profile, Scalar
from engine.profile.tally import COUNTERS, added_up
from engine.profile.tree import View
from engine.profile.value import ABSENT, members

Stamp = tuple[int, str]  # (ms, part id); ties of time go by id
Kid = str | tuple[int, str, int]  # a segment of a cell path, or a list's element as (time, part id, index)

Touch = tuple[int, str, bool]  # a stamp, and whether something was written rather than taken away

NEVER: Stamp = (-1, "")
PLAIN = "~~"  # the kind of values and numbers, after those of kids


def fold(profile: Profile, fields: Fields | None = None) -> View:
    """What a profile shows: the tree of `traits`, `pii`, `consents`, `segments`, `counters` over all of its parts."""
    return fold_parts(profile.parts.values(), fields)


def fold_parts(parts: Collection[Part], fields: Fields | None = None) -> View:
    """What some parts show together."""
    view = _folded(parts, fields)
    counters = added_up(parts)
    if counters:
        view[COUNTERS] = counters
    return view


def _folded(parts: Collection[Part], fields: Fields | None) -> View:
    """The cells of some parts together."""
    if len(parts) == 1:
        (part,) = parts
        view = _alone(part, fields)
        if view is not None:
            return view
    rules = {cell_path(path): rule for path, rule in fields.items()} if fields else {}
    _, view = _settle(_gather(parts), NEVER, "", rules)
    return {} if view is ABSENT else dict(view)


# One part ------------------------------------------------------------------------------------------------------------


def _alone(part: Part, fields: Fields | None) -> View | None:
    """The view of a single part, or None when cells of different kinds meet at one path."""
    view: View = {}
    objects: dict[CellPath, View] = {"": view}
    special: list[CellPath] = []
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
        holder, name = _object(objects, above), read(segment)
        known = holder.get(name, 0)
        if not (type(known) is int or type(known) is float) or (fields and path_of(cell) in fields):
            return None
        holder[name] = total([known, amount])
    for above, group in groups.items():
        if above in part.cells or above in part.counts or group is None:
            return None
        place, _, segment = above.rpartition(".")
        _object(objects, place)[read(segment)] = group
    for above in objects:
        if above in part.cells or above in part.counts or above in groups:
            return None
    return view


def _object(objects: dict[CellPath, View], cell: CellPath) -> View:
    """The object at `cell`, made if it is not there yet."""
    known = objects.get(cell)
    if known is None:
        above, _, segment = cell.rpartition(".")
        known = objects[cell] = _object(objects, above)[read(segment)] = {}
    return known


def _grouped(part: Part, objects: dict[CellPath, View], special: Iterable[CellPath]) -> dict[CellPath, Any]:
    """The sets and lists among `special` cells, by their cell path; None where both meet. Names go to their objects."""
    sets: dict[CellPath, list[Scalar]] = {}
    lists: dict[CellPath, list[tuple[tuple[int, int], Any]]] = {}
    for cell in special:
        above, _, segment = cell.rpartition(".")
        if segment.startswith(MEMBER):
            sets.setdefault(above, []).append(member_of(segment))
        elif segment.startswith(ELEMENT):
            lists.setdefault(above, []).append((element_of(segment), part.cells[cell]))
        else:
            _object(objects, above)[read(segment)] = part.cells[cell]
    groups: dict[CellPath, Any] = {cell: members(found) for cell, found in sets.items()}
    for cell, elements in lists.items():
        elements.sort(key=_stamp_of)
        groups[cell] = None if cell in sets else [value for _, value in elements[-LIST_CAP:]]
    return groups


def _stamp_of(element: tuple[tuple[int, int], Any]) -> tuple[int, int]:
    return element[0]


# Several parts -------------------------------------------------------------------------------------------------------


class _Node:
    """What all parts hold at one path."""

    __slots__ = ("counts", "kids", "mark", "registers")

    def __init__(self) -> None:
        self.registers: list[tuple[Stamp, Any]] = []
        self.counts: list[tuple[Stamp, Number]] = []
        self.mark = NEVER  # the newest
        self.kids: dict[Kid, _Node] = {}

    def below(self, segments: Iterable[Kid]) -> "_Node":
        node = self
        for segment in segments:
            found = node.kids.get(segment)
            if found is None:
                found = node.kids[segment] = _Node()
            node = found
        return node


def _gather(parts: Collection[Part]) -> _Node:
    root, seen = _Node(), _covered(parts)
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
            seen_time, seen_amount = seen.get((cell, part.id), (-1, 0))
            if time > seen_time:
                node = root.below(cell.split("."))
                node.counts.append(((time, part.id), amount - seen_amount))
    return root


def _covered(parts: Collection[Part]) -> dict[tuple[CellPath, str], tuple[int, Number]]:
    """Per counter, (time, amount) up to which a part that is present has replaced it.

    A counter that was born again after it had been replaced is another counter.
    """
    counts = {part.id: part.counts for part in parts}
    found: dict[tuple[CellPath, str], tuple[int, Number]] = {}
    for part in parts:
        for other, cells in part.seen_counts.items():
            for cell, (born, time, amount) in cells.items():
                count = counts.get(other, {}).get(cell)
                if count is not None and count[0] == born and time > found.get((cell, other), (-1, 0))[0]:
                    found[cell, other] = (time, amount)
    return found


def _settle(node: _Node, floor: Stamp, cell: CellPath, rules: dict[CellPath, Rule]) -> tuple[Touch, Any]:
    """(last touch, value or ABSENT) of what lives here. `floor` is the newest write above.

    Taking away is a touch too: of two kinds that are alive, the one that was last written to or taken from shows.
    """
    floor = max(floor, node.mark)
    registers = [register for register in node.registers if register[0] >= floor]
    below = max([floor, *(stamp for stamp, _ in registers)])
    stamp, shown = _plain(registers, node.counts, rules.get(cell))
    last = max((*stamp, True), *((*written, True) for written, _ in registers), (*node.mark, False))
    kinds: dict[str, tuple[Touch, dict[Kid, Any]]] = {}
    for kid, inner in node.kids.items():
        touch, value = _settle(inner, below, f"{cell}.{kid}" if cell else str(kid), rules)
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
    registers: list[tuple[Stamp, Any]], counts: list[tuple[Stamp, Number]], rule: Rule | None
) -> tuple[Stamp, Any]:
    """(stamp, value or ABSENT) of registers and counters. At a declared path the counters' sum is one of the values."""
    nothing: tuple[Stamp, Any] = (NEVER, ABSENT)
    number = (max(stamp for stamp, _ in counts), total([amount for _, amount in counts])) if counts else nothing
    if rule:
        found = [*registers, number] if counts else registers
        return best(rule, found) if found else nothing
    newest = max(registers, key=lambda register: register[0], default=nothing)
    if counts and (type(newest[1]) is int or type(newest[1]) is float):
        return max(newest[0], number[0]), total([newest[1], *(amount for _, amount in counts)])
    return number if number[0] > newest[0] else newest


def _kind(kid: Kid) -> str:
    """Which of the three is a node that has this kid: an object, a set or a list."""
    if isinstance(kid, tuple):
        return ELEMENT
    return MEMBER if kid.startswith(MEMBER) else ""


def _collected(kind: str, alive: dict[Any, Any]) -> Any:
    """The object, set or list that kids of one kind make."""
    if kind == ELEMENT:
        return [alive[kid] for kid in sorted(alive)][-LIST_CAP:]
    if kind == MEMBER:
        return members(map(member_of, alive))
    return {read(kid): value for kid, value in alive.items()}
