"""Parsing: luqum's tree becomes a `Query`, with every field and value checked.

Adjacent words must all match, as with AND. NOT and `-` exclude.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from luqum import tree
from msgspec import Struct

from engine.profile.declared import Fields
from engine.profile.value import INTEGER_LIMIT
from engine.search import moment
from engine.search.field import Field, Searchable, field_of, remedy
from engine.search.query import EVERYTHING, AllOf, AnyOf, Begins, Exists, Is, Node, Not, Number, Query, Within
from engine.search.syntax import read, refuse

MAX_DEPTH = 20  # levels of nested conditions; stores accept 30, including those that they add

_CAPITALS = {"and": "AND", "or": "OR", "not": "NOT", "&&": "AND", "||": "OR", "!": "NOT"}


class Value(Struct, frozen=True):
    """A word or phrase. `text` is its meaning, `star` whether a `*` follows it, `item` its part of luqum's tree."""

    text: str
    item: Any
    quoted: bool = False
    star: bool = False


class Context(Struct, frozen=True):
    """The context of a part of the tree: the field before it, and its depth."""

    searchable: Searchable
    now: int  # ms
    field: Field | None = None
    depth: int = 0


def parse(text: str, searchable: Searchable, now: int, declared: Fields | None = None) -> Query:
    """Return the query of a text at the time `now` (ms). A blank text matches everything.

    Raises `engine.problem.ProblemError`, with the problem and its position in the text.
    """
    node = _node(read(text), Context(searchable, now)) if text.strip() else EVERYTHING
    return Query(searchable, node, declared or {})


def _node(item: Any, context: Context) -> Node:
    if context.depth > MAX_DEPTH:
        refuse("too-deep", f"conditions nest at most {MAX_DEPTH} deep", item.pos or 0)
    inner = msgspec.structs.replace(context, depth=context.depth + 1)
    match item:
        case tree.OrOperation():
            return AnyOf(tuple(_node(child, inner) for child in item.children))
        case tree.AndOperation() | tree.UnknownOperation():
            return AllOf(tuple(_node(child, inner) for child in item.children))
        case tree.Not() | tree.Prohibit():
            return Not(_node(item.a, inner))
        case tree.Plus():
            return _node(item.a, inner)
        case tree.BaseGroup():
            return _node(item.expr, inner)
        case tree.SearchField():
            return _field(item, inner)
        case tree.Range():
            return _range(item, item.low, item.high, context, over=not item.include_low, under=not item.include_high)
        case tree.From():
            return _range(item, item.a, None, context, over=not item.include)
        case tree.To():
            return _range(item, None, item.a, context, under=not item.include)
        case tree.Word() | tree.Phrase():
            return _term(_value(item), context)
    raise AssertionError(f"{type(item).__name__} is refused among the tokens")


def _field(item: Any, context: Context) -> Node:
    characters = list(_characters(item.name))
    name = "".join(char for char, _ in characters)
    if context.field is not None:
        message = f"`{context.field.name}` has a value with a colon in it"
        refuse("colon", message, item.pos, len(item.name) + 1, 'put such a value in quotes: `"http://…"`')
    if name.startswith("!"):
        refuse("capitals", "`!` is not understood", item.pos, 1, "write NOT, or `-`")
    if ("*", False) in characters:
        refuse(
            "wildcard",
            "the name of a field has no `*`",
            item.pos,
            len(item.name),
            "`properties:red` looks in all properties",
        )
    if name == "_exists_":
        refuse("unknown-field", "`_exists_` is not understood", item.pos, len(name), "ask for any value: `type:*`")
    field = field_of(name, context.searchable)
    if field is None:
        message = f"`{name}` is not a field of {context.searchable.name}"
        refuse("unknown-field", message, item.pos, len(item.name), remedy(name, context.searchable))
    within = msgspec.structs.replace(context, field=field)
    if isinstance(item.expr, tree.Prohibit) and isinstance(item.expr.a, tree.Word) and _is_number(item.expr.a.value):
        return _term(_negative(item.expr), within)
    return _node(item.expr, within)


def _term(value: Value, context: Context) -> Node:
    field = context.field
    if field is None:
        _check_capitals(value)
        if value.star and not value.text:
            return EVERYTHING
    elif value.star and not value.text:
        return Exists(field)
    elif field.type in {"moment", "number"}:
        low, high = _bounds(value, field, context)
        return Within(field, low, high)
    if value.star:
        return Begins(field, value.text)
    exact = value.quoted or (field is not None and field.type != "free")
    return Is(field, (value.text,) if exact else spellings(value.text))


def _check_capitals(value: Value) -> None:
    """Refuse a word that was probably meant as AND, OR or NOT."""
    text = value.item.value
    word = text if text in _CAPITALS else "!" if text.startswith("!") else None
    if word is not None:
        help = f"write {_CAPITALS[word]}, or put it in quotes if you look for it"
        refuse("capitals", f"`{word}` is not understood", value.item.pos, len(word), help)


def _range(item: Any, low: Any, high: Any, context: Context, *, over: bool = False, under: bool = False) -> Node:
    field = context.field
    if field is None:
        refuse("range", "this comparison has no field", item.pos, 1, f"write one in front of it: `{_example(context)}`")
    if field.type in {"word", "prose"}:
        ranged = [name for name, type in context.searchable.fields.items() if type in {"moment", "number"}]
        message = f"`{field.name}` holds text, which is not compared by size"
        refuse("range", message, item.pos, 1, f"ranges are for {', '.join(f'`{name}`' for name in ranged)} and numbers")
    least, most = _bound(low, field, context), _bound(high, field, context)
    if field.type == "moment":
        # A date is a span: `>2024-05` starts after May, `<=2024-05` ends with it.
        first = None if least is None else least[1] + 1 if over else least[0]
        last = None if most is None else most[0] - 1 if under else most[1]
        return Within(field, first, last)
    return Within(field, least and least[0], most and most[1], over and least is not None, under and most is not None)


def _bound(item: Any, field: Field, context: Context) -> tuple[Number, Number] | None:
    """Return the span (first, last) of a bound of a range; None for `*`."""
    if item is None:
        return None
    value = _negative(item) if isinstance(item, tree.Prohibit) else _value(item)
    return None if value.star and not value.text else _bounds(value, field, context)


def _bounds(value: Value, field: Field, context: Context) -> tuple[Number, Number]:
    """Return the span (first, last) of a time, or a number twice."""
    if value.star:
        message = f"`{field.name}` is not compared by its beginning"
        refuse("wildcard", message, *_position(value), "leave the `*` out: `2024-05` is all of May")
    if field.type == "moment":
        span = moment.span(value.text, context.now)
        if span is None:
            refuse("no-time", f"`{value.text}` is not a time", *_position(value), moment.HELP)
        return span.first, span.last
    number = _number(value.text)
    if number is None:
        message = f"`{value.text}` is not a number, which `{field.name}` is compared with"
        help = "texts and dates in free fields are not compared by size" if field.type == "free" else ""
        refuse("no-number", message, *_position(value), help)
    return number, number


def spellings(text: str) -> tuple[str, ...]:
    """Return the forms in which a word may be stored; a whole number may have a fraction of zero (12 and 12.0)."""
    number = _number(text)
    if number is None:
        return (text,)
    forms = {text, msgspec.json.encode(number).decode()}
    if -INTEGER_LIMIT < number < INTEGER_LIMIT and number == int(number):
        forms.add(str(int(number)))
        if float(number) == number:
            forms.add(msgspec.json.encode(float(number)).decode())
    return tuple(sorted(forms))


def _value(item: Any) -> Value:
    """Return the value of a word or phrase without its escapes. At the end of a word, `*` is a wildcard."""
    if isinstance(item, tree.Phrase):
        return Value("".join(char for char, _ in _characters(item.value[1:-1])), item, quoted=True)
    characters = list(_characters(item.value))
    star = characters[-1] == ("*", False)
    kept = characters[:-1] if star else characters
    for at, (char, escaped) in enumerate(kept):
        if char in "*?" and not escaped:
            message = f"`{char}` is no wildcard here: `*` is one, at the end of a word only"
            offset = item.pos + sum(1 + escaped for _, escaped in kept[:at])
            refuse("wildcard", message, offset, 1, f"escape it, `\\{char}`, or put the value in quotes")
    return Value("".join(char for char, _ in kept), item, star=star)


def _negative(item: Any) -> Value:
    """Return a minus and the word after it as one value."""
    value = _value(item.a)
    return msgspec.structs.replace(value, text=f"-{value.text}")


def _characters(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the characters of a text, each with whether it was escaped."""
    escaped = False
    for char in text:
        if char == "\\" and not escaped:
            escaped = True
        else:
            yield char, escaped
            escaped = False


def _is_number(text: str) -> bool:
    return _number(text) is not None


def _number(text: str) -> Number | None:
    """Return the number of a text that is a JSON number, else None."""
    if not text or text[0] not in "-0123456789" or text[-1] not in "0123456789":
        return None
    try:
        number: Number = msgspec.json.decode(text, type=int | float)
    except msgspec.DecodeError:
        return None
    return number


def _position(value: Value) -> tuple[int, int]:
    return value.item.pos, len(value.item.value)


def _example(context: Context) -> str:
    return next(f"{name}:>now-1d" for name, type in context.searchable.fields.items() if type == "moment")
