"""The operations of an application, read from its routes: every method of every address that it serves."""

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from inspect import cleandoc
from typing import Any, Final

from litestar import Litestar
from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler
from litestar.params import BodyKwarg, ParameterKwarg
from litestar.routes import ASGIRoute, HTTPRoute
from litestar.types import Empty
from litestar.typing import FieldDefinition
from msgspec import Struct

from api.access.option import access_of
from api.description.document import openapi
from api.description.operation import (
    DESCRIBED,
    JSON,
    OPERATIONS,
    Body,
    Content,
    Described,
    Operation,
    Parameter,
    Security,
    json_answer,
    json_body,
)
from api.unmerge import no_foreign_page

BODY: Final = "data"  # the name of a handler's parameter that has the body of a request


class Nothing(Struct, frozen=True):
    """A body without members: a request that changes something is in JSON, which no page elsewhere can send."""


EMPTY: Final = json_body(Nothing, {})


def document_of(app: Litestar) -> dict[str, Any]:
    """Return the OpenAPI document of an application."""
    return openapi(operations_of(app), "Headrace", version("headrace"))


def operations_of(app: Litestar) -> Iterator[Operation]:
    """Yield the operations of all routes. A handler that is an ASGI application has those that it carries."""
    for route in app.routes:
        if isinstance(route, ASGIRoute):
            yield from carried(route.route_handler, route.path)
        elif isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                yield from _typed(handler, route)


def carried(handler: ASGIRouteHandler | HTTPRouteHandler, path: str) -> tuple[Operation, ...]:
    """Return the operations at a path that a handler carries. A mounted one serves all paths below its own."""
    found: tuple[Operation, ...] = handler.opt.get(OPERATIONS, ())
    mounted = isinstance(handler, ASGIRouteHandler) and handler.is_mount
    return tuple([each for each in found if each.path == path or (mounted and each.path.startswith(f"{path}/"))])


def _typed(handler: HTTPRouteHandler, route: HTTPRoute) -> Iterator[Operation]:
    if not handler.resolve_include_in_schema() or "OPTIONS" in handler.http_methods:
        return
    if OPERATIONS in handler.opt:
        yield from handler.opt[OPERATIONS]
        return
    about: Described = handler.opt.get(DESCRIBED) or _undescribed(handler)
    guards = handler.resolve_guards()
    fields = handler.parsed_fn_signature.parameters
    methods = sorted(method for method in handler.http_methods if method != "HEAD")
    for method in methods:
        yield Operation(
            method=method,
            path=route.path_format,
            id=about.id,
            tag=next(iter(handler.resolve_tags()), "server"),
            summary=handler.summary or "",
            description=handler.description or cleandoc(getattr(handler.fn, "__doc__", None) or ""),
            parameters=tuple(_parameters(fields, route.path_parameters, about.parameters)),
            body=about.sends or _body(fields.get(BODY), about.examples, guards),
            answers=about.answers,
            problems=tuple(sorted({*about.problems, *_problems(handler, guards, route.path_parameters)})),
            security=_security(handler),
        )


def _undescribed(handler: HTTPRouteHandler) -> Described:
    """Return what the signature says of a handler without a description."""
    answer = json_answer(handler.parsed_fn_signature.return_type.raw)
    return Described(id=handler.operation_id or handler.handler_name, answers={handler.status_code or 200: answer})  # type: ignore[arg-type]


def _security(handler: HTTPRouteHandler) -> tuple[Security, ...]:
    return () if access_of(handler) == "public" else ("adminKey",)


def _problems(handler: HTTPRouteHandler, guards: Iterable[object], path_parameters: Mapping[str, Any]) -> Iterator[int]:
    """Yield what the guards of an operation answer, and the answer for what its path does not lead to."""
    if access_of(handler) != "public":
        yield from (401, 403, 429)
    if no_foreign_page in guards:
        yield from (403, 415)
    if path_parameters:
        yield 404


def _parameters(
    fields: Mapping[str, FieldDefinition], in_path: Mapping[str, Any], examples: Mapping[str, Any]
) -> Iterator[Parameter]:
    for name, field in fields.items():
        given = field.kwarg_definition
        if name in in_path or isinstance(given, ParameterKwarg):
            alias = (given.name if isinstance(given, ParameterKwarg) else None) or name
            has_default = field.default is not Empty and field.default not in (None, "")
            yield Parameter(
                alias,
                "path" if name in in_path else "query",
                (given.description if isinstance(given, ParameterKwarg) else None) or "",
                field.annotation,
                required=field.default is Empty,
                default=field.default if has_default else None,
                example=examples.get(name),
            )


def _body(field: FieldDefinition | None, examples: Mapping[str, Any], guards: Iterable[object]) -> Body | None:
    if field is None or not isinstance(field.kwarg_definition, BodyKwarg):
        return EMPTY if no_foreign_page in guards else None
    return Body({JSON: Content(field.annotation, examples)})
