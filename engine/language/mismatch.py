"""Comparisons with the same result for all data, because of the kinds of what is compared."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from engine.language.hints import UNITS
from engine.language.kinds import BOOLEAN, LIST, NUMBER, OBJECT, TEXT, Kinds, Shapes, kinds_of, shape_at
from engine.language.operators import is_number
from engine.language.path import show_path
from engine.language.refusal import MISMATCH, TEXT_ORDER, Span, balanced, finding, written
from engine.language.tree import NEGATIVE_SIGNS, Comparison, Constant, Path, Tree
from engine.problem import Problem, closest

SETS: Final = frozenset({("profile", "segments"), ("profile", "ids")})
# Paths of objects, and the field that the author probably meant.
OBJECTS: Final[Mapping[tuple[str | int, ...], str]] = {
    ("event",): "event.type",
    ("event", "properties"): "event.properties.NAME",
    ("event", "context"): "event.context.NAME",
    ("session",): "session.id",
    ("session", "properties"): "session.properties.NAME",
    ("session", "context"): "session.context.NAME",
    ("source",): "source.id",
    ("profile",): "profile.id",
    ("profile", "traits"): "profile.traits.NAME",
    ("profile", "pii"): "profile.pii.NAME",
    ("profile", "consents"): "profile.consents.NAME",
    ("profile", "metadata"): "profile.metadata.visits",
}
_EQUALITY: Final = frozenset({"eq", "ne"})
_MEMBERSHIP: Final = frozenset({"in", "notin"})


_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?) ?([a-z]+)")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_YEAR_OR_MONTH: Final = re.compile(r"(?:19|20)\d\d(?P<month>-\d\d)?")
_COUNTS: Final = frozenset({("profile", "metadata", "visits"), ("profile", "metadata", "version")})
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")
_WORDS_OF_TRUTH: Final = {
    **dict.fromkeys(("yes", "true", "on", "y", "1"), "true"),
    **dict.fromkeys(("no", "false", "off", "n", "0"), "false"),
}
_ORDER: Final = frozenset({"lt", "lteq", "gt", "gteq"})


class Pair:
    """Two neighbouring operands of a comparison, with the kinds of their values."""

    def __init__(self, left: Tree, sign: str, right: Tree, text: str, shapes: Shapes) -> None:
        self.left, self.sign, self.right, self.shapes = left, sign, right, shapes
        self.kinds = kinds_of(left, shapes), kinds_of(right, shapes)
        self.at: Span = balanced(text, (min(left.at[0], right.at[0]), max(left.at[1], right.at[1])))

    @property
    def always(self) -> str:
        """The result when the operands never fit."""
        return "true" if self.sign in NEGATIVE_SIGNS else "false"


def mismatches(tree: Comparison, text: str, shapes: Shapes) -> Iterator[Problem]:
    """Yield the first pair of a comparison whose result is always the same. `text` is the author's."""
    operands = (tree.first, *(part for _, part in tree.rest))
    for left, (sign, right) in zip(operands, tree.rest, strict=False):
        pair = Pair(left, sign, right, text, shapes)
        found = _literals(pair, text) or _kinds(pair, text) or _word(pair)
        if found is not None:
            message, help = found
            yield finding(MISMATCH, message, pair.at, help)
            return


def text_orders(tree: Comparison, text: str, shapes: Shapes) -> Iterator[Problem]:
    """Yield a warning about a value of any kind that is compared by size with a text that spells a number."""
    operands = (tree.first, *(part for _, part in tree.rest))
    for left, (sign, right) in zip(operands, tree.rest, strict=False):
        literal, other = (left, right) if isinstance(left, Constant) else (right, left)
        value = literal.value if isinstance(literal, Constant) else None
        if sign in _ORDER and isinstance(value, str) and _spelled(value) and kinds_of(other, shapes) is None:
            message = (
                f"`{written(text, literal.at)}` is text: a number is never more or less than text, "
                "and texts are ordered by their letters"
            )
            yield finding(TEXT_ORDER, message, literal.at, f"write the number without quotes: `{value}`", "warning")


def _literals(pair: Pair, text: str) -> tuple[str, str] | None:
    if not (isinstance(pair.left, Constant) and isinstance(pair.right, Constant)):
        return None
    return "this compares two literals, so its result is always the same", "compare a value of the event or the profile"


def _kinds(pair: Pair, text: str) -> tuple[str, str] | None:
    """Return the message and the remedy for operands whose kinds never fit."""
    left, right = pair.kinds
    if pair.sign in _MEMBERSHIP:
        return _membership(pair, text)
    if left is None or right is None:
        return None
    common = left & right if pair.sign in _EQUALITY else left & right & (TEXT | NUMBER)
    if common:
        return None
    subject, other, kinds, other_kinds = pair.left, pair.right, left, right
    if isinstance(subject, Constant):
        subject, other, kinds, other_kinds = other, subject, other_kinds, kinds
    return _never(pair, text, subject, kinds, _words(other_kinds)), _remedy(pair, text, subject, other)


def _membership(pair: Pair, text: str) -> tuple[str, str] | None:
    left, right = pair.kinds
    if right is not None and not right & (LIST | TEXT | OBJECT):
        return (
            f"`in` looks into a list, a text or an object, never into {_words(right)}: this is always {pair.always}",
            "compare with `==`, or name a list: `value in ['a', 'b']`",
        )
    if left is None or right is None:
        return None
    items = _item_kinds(pair.right)
    if right <= LIST and items is not None and items and not left & items:
        return _never(pair, text, pair.left, left, _words(items)), _remedy(pair, text, pair.left, pair.right)
    if right <= TEXT | OBJECT and not left & TEXT:
        return _never(pair, text, pair.left, left, "text"), ""
    return None


def _item_kinds(tree: Tree) -> Kinds | None:
    """Return the kinds of a list's items; None when they are not known."""
    if isinstance(tree, Path) and tree.path in SETS:
        return TEXT
    if isinstance(tree, Constant) and isinstance(tree.value, list):
        kinds = [kinds_of(Constant(tree.at, item), {}) or Kinds() for item in tree.value]
        return Kinds().union(*kinds)
    return None


def _never(pair: Pair, text: str, subject: Tree, kinds: Kinds, other: str) -> str:
    name = show_path(subject.path) if isinstance(subject, Path) else written(text, subject.at)
    word = "a set" if isinstance(subject, Path) and subject.path in SETS else _words(kinds)
    return f"`{name}` is {word}, never {other}: this is always {pair.always}"


def _words(kinds: Kinds) -> str:
    return " or ".join(sorted(kinds)) or "a value"


def _remedy(pair: Pair, text: str, subject: Tree, other: Tree) -> str:
    name, literal, whole = written(text, subject.at), written(text, other.at), written(text, pair.at)
    if isinstance(subject, Path) and subject.path in OBJECTS:
        return f"did you mean `{OBJECTS[subject.path]}`?"
    if isinstance(subject, Path) and subject.path in SETS:
        return _set_remedy(name, pair, other)
    if not isinstance(other, Constant) or other.value is None:
        return "compare two values of the same kind"
    compared = f"compare it with {_words(kinds_of(subject, pair.shapes) or Kinds())}"
    kinds, value = kinds_of(subject, pair.shapes), other.value
    if kinds == NUMBER and isinstance(value, str):
        fitting = _moment(value, subject) or _spelled(value) or _span(value)
        return f"write `{whole.replace(literal, fitting)}`" if fitting else compared
    if kinds == TEXT and pair.sign in _ORDER and is_number(value):
        return f"write `{whole.replace(name, f'({name} | float)')}` to compare it as a number"
    if kinds == TEXT and all(map(is_number, value if isinstance(value, list) else [value])):
        quoted = _NUMBER.sub(r"'\g<0>'", literal)
        return f"write `{whole.replace(literal, quoted)}`"
    if kinds == BOOLEAN and str(value).lower() in _WORDS_OF_TRUTH:
        truth = _WORDS_OF_TRUTH[str(value).lower()]
        return f"write `{whole.replace(literal, truth)}`"
    return compared


def _moment(text: str, subject: Tree) -> str:
    """Return the moment at which the day, month or year that a text spells begins, as an expression; else nothing."""
    match = _YEAR_OR_MONTH.fullmatch(text)
    if match is None or not isinstance(subject, Path) or subject.path in _COUNTS:
        return f"('{text}' | date)" if _DAY.match(text) else ""
    return f"('{text}-01' | date)" if match["month"] else f"('{text}-01-01' | date)"


def _span(text: str) -> str:
    """Return the milliseconds that a duration such as `30d` spells, as an expression; empty for other text."""
    match = _DURATION.fullmatch(text.strip())
    return UNITS[match[2]].format(match[1]) if match and match[2] in UNITS else ""


def _set_remedy(name: str, pair: Pair, other: Tree) -> str:
    value = other.value if isinstance(other, Constant) else None
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(item, str) for item in values):
        return f"to ask how many there are, write `{name} | length`"
    negative = pair.sign in NEGATIVE_SIGNS
    within, between = ("not in", " and ") if negative else ("in", " or ")
    tests = between.join(f"'{item}' {within} {name}" for item in values)
    return f"write `{tests}`"


def _spelled(text: str) -> str:
    """Return the number that a text spells; empty when it spells none."""
    stripped = text.strip()
    return stripped if stripped.removeprefix("-").replace(".", "", 1).isdecimal() else ""


def _word(pair: Pair) -> tuple[str, str] | None:
    """Return the message and the remedy for a text that is none of those that a field can be."""
    for path, literal in ((pair.left, pair.right), (pair.right, pair.left)):
        if not (isinstance(path, Path) and isinstance(literal, Constant) and pair.sign in _EQUALITY | _MEMBERSHIP):
            continue
        words = shape_at(path.path, pair.shapes).words
        values = literal.value if isinstance(literal.value, list) else [literal.value]
        if words and values and not any(value in words for value in values):
            near = closest(str(values[0]), words)
            known = ", ".join(f"'{word}'" for word in words)
            help = f"did you mean `'{near}'`?" if near else f"it is one of {known}"
            return f"`{show_path(path.path)}` is never `{values[0]}`: this is always {pair.always}", help
    return None
