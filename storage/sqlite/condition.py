"""Queries as SQL: the conditions that can be decided on an encoded document, without decoding it.

A text is searched anywhere in the encoded document, which takes less than a microsecond and needs no GIL. The time by
which a kind is ordered, and one that has stand-ins, are read by their JSON paths.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from engine.search.field import PROFILES, Field, Searchable
from engine.search.query import Begins, Exists, Is, Number, Within
from engine.search.translation import Leaf, written_bounds

Bound = Number | str | None
Condition = tuple[str, tuple[Any, ...]]  # SQL, and the values bound in it

ALWAYS: Final[Condition] = ("1", ())
NEVER: Final[Condition] = ("0", ())

_SAFE = re.compile(r"[A-Za-z0-9_ @-]+")  # these characters are encoded as themselves
_NUMERIC = frozenset("-0123456789")  # the first characters of numbers


class Sql:
    """The language of conditions on documents of a kind."""

    def __init__(self, searchable: Searchable) -> None:
        self._searchable = searchable
        self._moment = searchable.newest.rpartition(".")[2]  # the field of the time in the stored document

    def all_of(self, parts: Sequence[Condition]) -> Condition:
        """All parts hold."""
        return _joined(" AND ", parts, ALWAYS)

    def any_of(self, parts: Sequence[Condition]) -> Condition:
        """One of the parts holds."""
        return _joined(" OR ", parts, NEVER)

    def negation(self, part: Condition) -> Condition:
        """The part does not hold."""
        return f"NOT {part[0]}", part[1]

    def leaf(self, leaf: Leaf) -> tuple[Condition, Condition]:
        """The conditions under which a leaf may hold and must hold. A text only may; the kind's own time decides."""
        match leaf:
            case Is(texts=texts):
                return self.any_of([self._holds(text) for text in texts]), NEVER
            case Begins(text=text):
                return self._holds(text), NEVER
            case Within(field=field) if field.name == self._searchable.newest:
                condition = _between(_column(self._moment), leaf.low, leaf.high, leaf.over, leaf.under)
                return condition, condition
            case Within(field=field) if stand_ins := self._searchable.stand_ins.get(field.name):
                return self._of_moment(leaf, field.name, stand_ins)
            case Within(field=field) | Exists(field=field):
                return _named(field), NEVER

    def _holds(self, text: str) -> Condition:
        """The document has a value that contains `text`. Counters are stored as parts, not as their sum."""
        if self._searchable.name == PROFILES.name and text[:1] in _NUMERIC:
            return ALWAYS
        if any(text in value for value in self._searchable.omitted):
            return ALWAYS
        return _written(text)

    def _of_moment(self, node: Within, name: str, stand_ins: tuple[str, ...]) -> tuple[Condition, Condition]:
        """Where the document lacks the time, any stand-in may tell it; the last one does if it has no other."""
        own, *others = [_column(each) for each in (name, *stand_ins)]
        numbers, texts = (node.low, node.high), written_bounds(node)
        words = [self._searchable.fields[each] == "word" for each in stand_ins]
        others_hold = [
            _between(column, *(texts if word else numbers)) for column, word in zip(others, words, strict=True)
        ]
        has_own = self.all_of([(f"{own} IS NOT NULL", ()), _between(own, *numbers)])
        lacks: list[Condition] = [(f"{column} IS NULL", ()) for column in (own, *others[:-1])]
        return (
            self.any_of([has_own, self.all_of([lacks[0], self.any_of(others_hold)])]),
            self.any_of([has_own, self.all_of([*lacks, others_hold[-1]])]),
        )


def _column(name: str) -> str:
    return f"doc ->> '$.{name}'"


def _between(column: str, low: Bound, high: Bound, over: bool = False, under: bool = False) -> Condition:
    bounds = [(low, ">" if over else ">="), (high, "<" if under else "<=")]
    parts = [(f"{column} {sign} ?", (bound,)) for bound, sign in bounds if bound is not None]
    return _joined(" AND ", parts, ALWAYS)


def _named(field: Field) -> Condition:
    """The document contains the name of a free field. The names of other fields need not be in the document."""
    return _written(field.path) if field.type == "free" else ALWAYS


def _written(text: str) -> Condition:
    """The document contains the longest part of `text` that is encoded as itself."""
    part = max(_SAFE.findall(text), key=len, default="")
    return ("instr(doc, ?) > 0", (part,)) if part else ALWAYS


def _joined(word: str, parts: Sequence[Condition], without: Condition) -> Condition:
    if not parts:
        return without
    sql = f"({word.join(sql for sql, _ in parts)})"
    return sql, tuple(value for _, values in parts for value in values)
