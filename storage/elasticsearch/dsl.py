"""Queries in Elasticsearch's own language, made from the types of fields; `matches` decides on the rest."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from engine.search.field import Field, Searchable, all_fields
from engine.search.match import is_searched
from engine.search.query import Begins, Is, Within
from engine.search.translation import Leaf, written_bounds
from storage.elasticsearch.numbers import LEAST, MOST, NUMBERS, ordered_text

Dsl = Mapping[str, Any]
Both = tuple[Dsl, Dsl]  # a query that finds all that match, and one that finds only what matches

ALWAYS: Final[Dsl] = {"match_all": {}}
NEVER: Final[Dsl] = {"match_none": {}}
UNKNOWN: Final[Both] = (ALWAYS, NEVER)
LONGS: Final = (-(2**63), 2**63 - 1)

_METADATA = {"metadata.created": "created", "metadata.updated": "updated", "metadata.version": "version"}


class DslTranslation:
    """The language of queries on documents of a kind. `numbers`: they have those of free fields a second time."""

    def __init__(self, searchable: Searchable, *, numbers: bool = False) -> None:
        self._searchable = searchable
        self._numbers = numbers

    def all_of(self, parts: Sequence[Dsl]) -> Dsl:
        """All parts hold."""
        return {"bool": {"filter": list(parts)}} if parts else ALWAYS

    def any_of(self, parts: Sequence[Dsl]) -> Dsl:
        """One of the parts holds."""
        return {"bool": {"should": list(parts), "minimum_should_match": 1}} if parts else NEVER

    def negation(self, part: Dsl) -> Dsl:
        """The part does not hold."""
        return {"bool": {"must_not": [part]}}

    def leaf(self, leaf: Leaf) -> Both:
        """A single condition; without a field, in any of those that hold texts."""
        if leaf.field is not None:
            return self._of(leaf, leaf.field)
        both = [self._of(leaf, field) for field in all_fields(self._searchable)]
        return self.any_of([possible for possible, _ in both]), self.any_of([certain for _, certain in both])

    def _of(self, leaf: Leaf, field: Field) -> Both:
        name = _METADATA.get(field.name, field.name)
        if stand_ins := self._searchable.stand_ins.get(name):
            return self._of_moment(leaf, name, stand_ins)
        match field.type:
            case "word":
                said = _word(name, leaf)
            case "prose":
                said = _prose(name, leaf)
            case "moment" | "number":
                said = _number(name, leaf)
            case "free":
                return self._of_numbers(name, leaf) if self._has_number(field, leaf) else _free(name, field.path, leaf)
        return said, said

    def _has_number(self, field: Field, leaf: Leaf) -> bool:
        """Whether a condition compares numbers of a free field that documents have a second time."""
        return self._numbers and isinstance(leaf, Within) and not _is_pattern(field.path)

    def _of_numbers(self, name: str, leaf: Leaf) -> Both:
        """Documents of earlier versions may have the number in the free field alone."""
        own, strictly = _ordered(name, leaf, over=False), _ordered(name, leaf, over=True)
        lacks = self.negation({"exists": {"field": NUMBERS}})
        return self.any_of([own, self.all_of([{"exists": {"field": name}}, lacks])]), strictly

    def _of_moment(self, leaf: Leaf, name: str, stand_ins: tuple[str, ...]) -> Both:
        """Where the document lacks the time, any stand-in may tell it; the last one does if it has no other."""
        if not isinstance(leaf, Within) or (leaf.low is None and leaf.high is None):
            said = self.any_of([{"exists": {"field": each}} for each in (name, *stand_ins)])
            return said, said
        texts = {sign: bound for sign, bound in zip(("gte", "lte"), written_bounds(leaf), strict=True) if bound}
        words = [self._searchable.fields[each] == "word" for each in stand_ins]
        others_hold: list[Dsl] = [
            {"range": {each: texts}} if word else _number(each, leaf)
            for each, word in zip(stand_ins, words, strict=True)
        ]
        own, lacks = _number(name, leaf), [self.negation({"exists": {"field": each}}) for each in (name, *stand_ins)]
        return (
            self.any_of([own, self.all_of([lacks[0], self.any_of(others_hold)])]),
            self.any_of([own, self.all_of([*lacks[:-1], others_hold[-1]])]),
        )


def _word(name: str, leaf: Leaf) -> Dsl:
    match leaf:
        case Is(texts=texts):
            return {"terms": {name: list(texts)}}
        case Begins(text=text):
            return {"prefix": {name: text}}
    return {"exists": {"field": name}}


def _prose(name: str, leaf: Leaf) -> Dsl:
    if isinstance(leaf, Is):
        return {"bool": {"should": [{"wildcard": {name: f"*{_escaped(text)}*"}} for text in leaf.texts]}}
    return _word(name, leaf)


def _is_pattern(path: str) -> bool:
    """Whether a path is no name there, or a pattern of names."""
    return "\0" in path or "*" in path


def _ordered(name: str, leaf: Leaf, *, over: bool) -> Dsl:
    """The range of a number's texts; `over` leaves out the bounds, whose texts other numbers may share."""
    low, high = (leaf.low, leaf.high) if isinstance(leaf, Within) else (None, None)
    bounds: dict[str, str] = {}
    bounds["gte" if low is None or not over else "gt"] = LEAST if low is None else ordered_text(low)
    bounds["lte" if high is None or not over else "lt"] = MOST if high is None else ordered_text(high)
    return {"range": {f"{NUMBERS}.{name}": bounds}}


def _free(name: str, path: str, leaf: Leaf) -> Both:
    if _is_pattern(path):
        return UNKNOWN
    match leaf:
        case Is(texts=texts):
            said: Dsl = {"terms": {name: [text for text in texts if is_searched(text)]}}
        case Begins(text=text) if not is_searched(text):
            said = NEVER
        case Within():
            return {"exists": {"field": name}}, NEVER  # it compares numbers as texts
        case _:
            said = _word(name, leaf)
    return said, said


def _number(name: str, leaf: Leaf) -> Dsl:
    if not isinstance(leaf, Within):
        return {"exists": {"field": name}}
    bounds = {("gt" if leaf.over else "gte"): leaf.low, ("lt" if leaf.under else "lte"): leaf.high}
    given = {sign: min(max(bound, LONGS[0]), LONGS[1]) for sign, bound in bounds.items() if bound is not None}
    return {"range": {name: given}} if given else {"exists": {"field": name}}


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\*?" else char for char in text)
