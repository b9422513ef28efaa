"""Queries by which masked data could be guessed letter by letter."""

from collections.abc import Iterator

from api.access.mask import Mask
from api.problem import HttpProblem
from engine.search.field import Field
from engine.search.query import AllOf, AnyOf, Begins, Node, Not, Query, Within


def require_no_guessing(query: Query, mask: Mask) -> None:
    """Raise `HttpProblem` (403) for a query that narrows personal data down, by one who does not see it.

    A whole value may be asked for: whoever knows an e-mail address may find its profile.
    """
    if mask.shows:
        return
    for field in _narrowed(query.node):
        if field is None or mask.is_personal(_path(field), query.searchable.name):
            name = "all fields" if field is None else field.name
            raise HttpProblem(
                403, f"`{name}` may hold personal data, which is masked: ask for a whole value, not for its beginning"
            )


def _narrowed(node: Node) -> Iterator[Field | None]:
    """Yield the fields of which a query asks for beginnings or ranges; None stands for all of them."""
    match node:
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _narrowed(part)
        case Not(part=part):
            yield from _narrowed(part)
        case Begins(field=field):
            yield field
        case Within(field=field):
            yield field


def _path(field: Field) -> tuple[str, ...]:
    return (field.root, *field.path.split(".")) if field.path else (field.root,)
