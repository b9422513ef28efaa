"""Applying operations: a unit's operations become cells of the part of its acting id, all at one time.

A write removes the cells that it replaces in its own part. It never touches other parts: older registers there lose by
their time, and for counters the part records the amounts that it replaced (`seen_counts`), so that only increments made
in those parts since then count.

A part that has always been alone has no hidden cells, so the view shows all that a write replaces. Only the cells of
parts that were ever joined with others are searched.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from engine.language.decimals import plus
from engine.profile.cellpath import ELEMENT, cell_path, element_cell, element_of, escaped, member_cell
from engine.profile.declared import Fields, Rule, wins
from engine.profile.document import LIST_CAP, SET_CAP, CellPath, Members, Part, Path, Profile
from engine.profile.fold import Stamp, fold, fold_parts
from engine.profile.operations import Add, Append, Count, Increment, Operation, Remove, Set, Unset
from engine.profile.tally import with_count
from engine.profile.tree import View, change, look, null_at
from engine.profile.value import ABSENT, member

_CONTAINERS = (dict, list, Members)
_PASSABLE = (dict, type(ABSENT))  # a path may lead through these
_PLAIN = frozenset({str, int, float, bool, type(None)})


def apply_operations(
    profile: Profile,
    acting_id: str,
    ops: Sequence[Operation],
    now: int,
    before: View | None = None,
    fields: Fields | None = None,
) -> tuple[Profile, int]:
    """Apply `ops` under the id `acting_id`; return the profile's next version and the time (ms) that the writes have.

    That time is `now`, or just after the newest write of the profile if that is later. `before` is the profile's fold
    or view, if the caller has it. Raises `Refused` as `tree.change` does.
    """
    parts, time = profile.parts, now
    for part in parts.values():
        if part.last >= time:
            time = part.last + 1
    if ops:
        view = fold(profile, fields) if before is None else before
        draft = _PartDraft(profile, acting_id, time, fields)
        for op in ops:
            after = change(view, op, fields)
            _WRITES[type(op)](draft, op, view, after)
            if not draft.alone:
                _keep_hidden(draft, op.path, view, after)
            view = after
        parts = {**parts, acting_id: draft.part()}
    following = Profile(
        id=profile.id,
        created=profile.created,
        version=profile.version + 1,
        parts=parts,
        links=profile.links,
        conditional=profile.conditional,
        standing=profile.standing,
        evaluated_at=profile.evaluated_at,
        due=profile.due,
        waits=profile.waits,
        tails=profile.tails,
        fired=profile.fired,
        merged_into=profile.merged_into,
    )
    return following, time


class _PartDraft:
    """The part that is being written, all at one time. `cells`, `times`, `marks` and `counts` are copies."""

    __slots__ = (
        "after",
        "alone",
        "cells",
        "counts",
        "fields",
        "marks",
        "others",
        "own",
        "seen_counts",
        "tallies",
        "time",
        "times",
    )

    def __init__(self, profile: Profile, acting_id: str, time: int, fields: Fields | None) -> None:
        created = profile.created if acting_id == profile.id else time
        own = profile.parts.get(acting_id) or Part(id=acting_id, created=created)
        links = profile.links
        self.own = own
        single = len(profile.parts) == 1 and acting_id in profile.parts
        self.others = [] if single else [part for part in profile.parts.values() if part.id != acting_id]
        self.alone = not self.others and not links  # then no other part ever hid a cell of this one
        self.fields = fields
        self.time = time
        self.after = time - own.base if own.cells or own.marks else 0  # an empty part takes `time` as its base
        self.cells = own.cells.copy()
        self.times = own.times.copy()
        self.marks = own.marks.copy()
        self.counts = own.counts.copy()
        self.seen_counts = own.seen_counts
        self.tallies = own.tallies

    def part(self) -> Part:
        """Return the part as written so far."""
        return Part(
            id=self.own.id,
            created=self.own.created,
            base=self.time - self.after,
            last=self.time,
            mixed=self.own.mixed,
            user=self.own.user,
            device=self.own.device,
            cells=self.cells,
            times=self.times,
            marks=self.marks,
            counts=self.counts,
            seen_counts=self.seen_counts,
            tallies=self.tallies,
            earliest=self.own.earliest,
            visit_times=self.own.visit_times,
        )

    def register(self, cell: CellPath, value: Any) -> None:
        """Write a register; it replaces a mark at the same cell."""
        self.cells[cell] = value
        if self.after:
            self.times[cell] = self.after
        if self.marks:
            self.marks.pop(cell, None)

    def mark(self, cell: CellPath) -> None:
        """Record that everything older at and below `cell` is removed."""
        self.cells.pop(cell, None)
        self.times.pop(cell, None)
        self.marks[cell] = self.after

    def leaves(self, cell: CellPath, value: Any) -> None:
        """Write a register for every leaf of `value`, which is at `cell`."""
        if type(value) is dict:
            for name, inner in value.items():
                self.leaves(f"{cell}.{escaped(name)}", inner)
        elif type(value) is list:
            for index, element in enumerate(value):
                self.cells[element_cell(cell, self.time, index)] = element
        elif type(value) is Members:
            for item in value:
                self.register(member_cell(cell, item), True)
        else:
            self.register(cell, value)

    def replace(self, cell: CellPath) -> None:
        """Remove the part's own cells at and below `cell`, and record the other parts' counters that this replaces."""
        cells: dict[CellPath, Any]
        for cells in (self.cells, self.times, self.marks, self.counts):
            for under in list(_under(cells, cell)):
                del cells[under]
        for other in self.others:
            counts = {under: other.counts[under] for under in _under(other.counts, cell)}
            if counts:
                self.seen_counts = {**self.seen_counts, other.id: {**self.seen_counts.get(other.id, {}), **counts}}

    def clear(self, cell: CellPath) -> None:
        """Remove everything at and below `cell`, in this part and in others."""
        self.replace(cell)
        self.mark(cell)

    def retire(self, cell: CellPath) -> None:
        """Replace an own register by a mark of its time: it no longer shows, and still hides what is older."""
        if cell in self.cells:
            del self.cells[cell]
            self.marks[cell] = self.times.pop(cell, 0)

    def alive(self, path: Path) -> bool:
        """Return whether the own register at `path` is newer than every write and removal above it."""
        cells = [cell_path(path[:end]) for end in range(1, len(path) + 1)]
        stamp = self.time_of(self.part(), cells[-1])
        for part in (self.part(), *self.others):
            for cell in cells:
                if cell in part.marks and (part.base + part.marks[cell], part.id) > stamp:
                    return False
                if cell in part.cells and cell != cells[-1] and self.time_of(part, cell) > stamp:
                    return False
        return True

    @staticmethod
    def time_of(part: Part, cell: CellPath) -> Stamp:
        """Return the stamp of a register of `part`."""
        return part.base + part.times.get(cell, 0), part.id


def _under(cells: dict[CellPath, Any], top: CellPath) -> Iterator[CellPath]:
    below = top + "."
    return (cell for cell in cells if cell.startswith(below) or cell == top)


def _set(draft: _PartDraft, op: Set, view: View, after: View) -> None:
    path, value = op.path, op.value
    cell = cell_path(path)
    rule = draft.fields.get(path) if draft.fields else None
    if draft.alone and not rule and cell in draft.cells and type(value) in _PLAIN:
        draft.counts.pop(cell, None)
        draft.register(cell, value)
        return
    now = look(view, path)
    if now is None or not draft.alone:
        _clear_way(draft, path, len(path), now, view)
    if rule:
        _declare(draft, op, now, rule)
        return
    value = value if type(value) in _PLAIN else look(after, path)  # in its stored form
    if value is ABSENT or isinstance(value, _CONTAINERS):
        draft.clear(cell)
        if value is not ABSENT:
            draft.leaves(cell, value)
        return
    if not draft.alone or isinstance(now, _CONTAINERS):
        draft.replace(cell)
    elif draft.counts:
        draft.counts.pop(cell, None)
    draft.register(cell, value)


def _declare(draft: _PartDraft, op: Set, now: Any, rule: Rule) -> None:
    """Set a declared path: the part keeps the winner of its own values, whatever other parts have."""
    cell = cell_path(op.path)
    mark = draft.marks.get(cell)  # stays, below the register: values that it removed in other parts stay removed
    if isinstance(now, _CONTAINERS):
        draft.replace(cell)
        mark = draft.after
    elif cell in draft.cells and draft.alive(op.path) and not wins(rule, op.value, draft.cells[cell]):
        return
    draft.register(cell, op.value)
    if mark is not None:
        draft.marks[cell] = mark


def _unset(draft: _PartDraft, op: Unset, view: View, after: View) -> None:
    if all(type(look(view, op.path[:end])) in _PASSABLE for end in range(1, len(op.path))):
        draft.clear(cell_path(op.path))


def _increment(draft: _PartDraft, op: Increment, view: View, after: View) -> None:
    cell = cell_path(op.path)
    count = draft.counts.get(cell) if draft.alone else None
    if count is None:
        _clear_way(draft, op.path, len(op.path), look(view, op.path), view)
        count = draft.counts.get(cell)
    if count is None:
        draft.counts[cell] = (draft.time, draft.time, op.by)
    else:
        amount, by = count[2], op.by
        total = amount + by if type(amount) is int and type(by) is int else plus(amount, by)
        draft.counts[cell] = (count[0], draft.time, total)


def _add(draft: _PartDraft, op: Add, view: View, after: View) -> None:
    now = look(view, op.path)
    if now is None or not draft.alone:
        _clear_way(draft, op.path, len(op.path) + 1, now, view)
    cell = cell_path(op.path)
    draft.register(member_cell(cell, member(op.member, op.path)), True)


def _remove(draft: _PartDraft, op: Remove, view: View, after: View) -> None:
    now = look(view, op.path)
    if now is None:
        return
    _clear_way(draft, op.path, len(op.path), now, view)
    cell = cell_path(op.path)
    draft.mark(member_cell(cell, member(op.member, op.path)))
    if len(draft.marks) > SET_CAP:
        _drop_oldest_marks(draft, cell)


def _drop_oldest_marks(draft: _PartDraft, cell: CellPath) -> None:
    """Keep at most `SET_CAP` marks of removed members: drop the oldest that hide no member of another part."""
    removed = [
        under
        for under in _under(draft.marks, cell)
        if under != cell and not any(under in part.cells for part in draft.others)
    ]
    removed.sort(key=draft.marks.__getitem__)
    for under in removed[: max(0, len(removed) - SET_CAP)]:
        del draft.marks[under]


def _append(draft: _PartDraft, op: Append, view: View, after: View) -> None:
    _clear_way(draft, op.path, len(op.path) + 1, look(view, op.path), view)
    cell = cell_path(op.path)
    prefix = f"{cell}.{ELEMENT}"
    stamps = sorted(element_of(own[len(cell) + 1 :]) for own in draft.cells if own.startswith(prefix))
    last = stamps[-1] if stamps else (0, 0)
    index = last[1] + 1 if last[0] == draft.time else 0
    draft.cells[element_cell(cell, draft.time, index)] = look(after, op.path)[-1]
    for time, index in stamps[: max(0, len(stamps) + 1 - LIST_CAP)]:
        del draft.cells[element_cell(cell, time, index)]


def _count(draft: _PartDraft, op: Count, view: View, after: View) -> None:
    draft.tallies = with_count(draft.tallies, op)


def _clear_way(draft: _PartDraft, path: Path, depth: int, now: Any, view: View) -> None:
    """Remove whatever would hide a write: a null at or above `path`, and own registers above it."""
    if now is None:
        draft.clear(cell_path(null_at(view, path)))
    if not draft.alone:
        for end in range(1, depth):
            draft.retire(cell_path(path[:end]))


def _keep_hidden(draft: _PartDraft, path: Path, view: View, after: View) -> None:
    """When a write removed the last visible value, keep older values that it hid in other parts from reappearing."""
    for end in range(1, len(path) + 1):
        top = path[:end]
        if look(after, top) is ABSENT:
            if look(view, top) is ABSENT:
                return
            if look(fold_parts([draft.part(), *draft.others], draft.fields), top) is not ABSENT:
                draft.clear(cell_path(top))
            return


_WRITES: dict[type[Operation], Callable[[_PartDraft, Any, View, View], None]] = {
    Set: _set,
    Unset: _unset,
    Increment: _increment,
    Add: _add,
    Remove: _remove,
    Append: _append,
    Count: _count,
}
