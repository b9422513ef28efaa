"""Questions about the annotation of a node type's field."""

from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

from engine.flow.registry import notes_in


def map_value_notes(annotation: Any) -> tuple[Any, ...]:
    """The field notes of the keys and values of a map; () for any other field."""
    plain = bare_type(annotation)
    return tuple(n for arg in get_args(plain) for n in notes_in(arg)) if get_origin(plain) is dict else ()


def takes_text(annotation: Any) -> bool:
    """Whether a field is a text or a map of texts: then the values of its templates are converted to text."""
    plain = bare_type(annotation)
    if get_origin(plain) is dict:
        plain = bare_type(get_args(plain)[1])
    return plain is str or set(get_args(plain)) == {str, type(None)}


def admits_text(annotation: Any) -> bool:
    """Whether a text may be the value of a field."""
    plain = bare_type(annotation)
    return plain in (str, Any) or any(admits_text(part) for part in get_args(plain) if get_origin(plain) is not dict)


def takes_anything(annotation: Any, raw: Any) -> bool:
    """Whether the evaluated value of this field needs no check of its type."""
    plain = bare_type(annotation)
    if plain is Any:
        return True
    return get_origin(plain) is dict and bare_type(get_args(plain)[1]) is Any and isinstance(raw, Mapping)


def map_type(annotation: Any) -> Any:
    """The map type of a field that is a map, or a map or None; None for any other field."""
    plain = bare_type(annotation)
    if get_origin(plain) is dict:
        return annotation
    return next((part for part in get_args(plain) if get_origin(bare_type(part)) is dict), None)


def bare_type(annotation: Any) -> Any:
    """The annotation without `Annotated`."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation
