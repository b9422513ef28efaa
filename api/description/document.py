"""The OpenAPI document, from operations. The schemas are those of the Structs that the handlers decode and encode."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from api.description.operation import Answer, Body, Content, Header, Operation, Parameter
from api.description.problems import ALWAYS, problem_answer
from api.description.types import schemas_of

VERSION: Final = "3.1.0"
TAGS: Final = {
    "tracking": "Events of pages, apps and servers, in Headrace's own protocol",
    "webhooks": "Requests of other systems, which the project's webhooks make into events",
    "segment": "The protocol of Segment's and RudderStack's clients",
    "posthog": "The protocol of PostHog's clients",
    "rakam": "The protocol of Rakam's clients",
    "traintracks": "The protocol of Traintracks' clients",
    "reading": "What is stored, for operators: profiles, events, runs, searches",
    "identity": "Splitting profiles, and forgetting them",
    "runs": "Replaying runs: the difference, and doing failed ones again",
    "deliveries": "Messages to other systems",
    "waits": "Runs that wait",
    "schedules": "Tasks and flows with a schedule",
    "imports": "Events from files",
    "access": "Users and access keys",
    "server": "The server itself",
}
SECURITY: Final[Mapping[str, dict[str, str]]] = {
    "adminKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "An access key; or the admin key, made at the first start or given as HEADRACE_ADMIN_KEY",
    },
    "sourceKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "The key of a secret source. A public source needs none: the request names it by its id",
    },
    "basicKey": {
        "type": "http",
        "scheme": "basic",
        "description": "The key of a secret source, or the id of a public one, as the user name; without a password",
    },
    "keyInQuery": {
        "type": "apiKey",
        "in": "query",
        "name": "writeKey",
        "description": "The key of a secret source, or the id of a public one",
    },
    "productKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Product-Key",
        "description": "The key of a secret source, or the id of a public one; the body is signed in X-Product-Auth",
    },
    "rakamKey": {
        "type": "apiKey",
        "in": "header",
        "name": "write_key",
        "description": "The key of a secret source, or the id of a public one; also in the body or the query",
    },
}
DESCRIPTION: Final = (
    "Headrace takes events of customers, runs the flows of a project on them, and keeps profiles. A request that is "
    "refused is answered with a problem document (RFC 9457), which says what to change."
)


def openapi(operations: Iterable[Operation], title: str, version: str) -> dict[str, Any]:
    """Return the document of some operations, ready to be encoded as JSON."""
    ordered = sorted(operations, key=lambda each: (list(TAGS).index(each.tag), each.path, each.method))
    types = _Types(ordered)
    used = {each.tag for each in ordered}
    return {
        "openapi": VERSION,
        "info": {"title": title, "version": version, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items() if name in used],
        "paths": _paths(ordered, types),
        "components": {
            "schemas": types.components,
            "responses": {_name(status): types.answer(problem_answer(status)) for status in types.problems},
            "securitySchemes": dict(SECURITY),
        },
    }


class _Types:
    """The schemas of all types of some operations."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        operations = list(operations)
        self.problems = sorted({*ALWAYS, *[status for each in operations for status in each.problems]})
        answers = [answer for each in operations for answer in each.answers.values()]
        answers += [problem_answer(status) for status in self.problems]
        found = [content.type for content in _contents([each.body for each in operations], answers)]
        found += [one.type for each in operations for one in each.parameters]
        found += [header.type for answer in answers for header in answer.headers.values()]
        types = {_key(type): type for type in found}
        schemas, self.components = schemas_of(types.values())
        self._schemas: dict[Any, dict[str, Any]] = dict(zip(types, schemas, strict=True))

    def schema(self, type: Any) -> dict[str, Any]:
        return self._schemas[_key(type)]

    def content(self, content: Mapping[str, Content]) -> dict[str, Any]:
        return {media_type: self._media(each) for media_type, each in content.items()}

    def answer(self, answer: Answer) -> dict[str, Any]:
        document: dict[str, Any] = {"description": answer.description}
        if answer.headers:
            document["headers"] = {name: self._header(header) for name, header in answer.headers.items()}
        return document | ({"content": self.content(answer.content)} if answer.content else {})

    def _media(self, content: Content) -> dict[str, Any]:
        document: dict[str, Any] = {"schema": self.schema(content.type)}
        if content.examples:
            document["examples"] = {name: {"value": value} for name, value in content.examples.items()}
        return document

    def _header(self, header: Header) -> dict[str, Any]:
        document: dict[str, Any] = {"description": header.description, "schema": self.schema(header.type)}
        if header.required:
            document["required"] = True
        return document | ({"example": header.example} if header.example is not None else {})

    def parameter(self, parameter: Parameter) -> dict[str, Any]:
        schema = self.schema(parameter.type)
        if parameter.default is not None:
            schema = {**schema, "default": parameter.default}
        document: dict[str, Any] = {"name": parameter.name, "in": parameter.place, "schema": schema}
        if parameter.description:
            document["description"] = parameter.description
        if parameter.required or parameter.place == "path":
            document["required"] = True
        if parameter.pairs:
            document |= {"style": "form", "explode": True}
        return document | ({"example": parameter.example} if parameter.example is not None else {})


def _paths(operations: Iterable[Operation], types: _Types) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, types)
    return paths


def _operation(operation: Operation, types: _Types) -> dict[str, Any]:
    document: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        **({"description": operation.description} if operation.description else {}),
    }
    if operation.parameters:
        document["parameters"] = [types.parameter(each) for each in operation.parameters]
    if operation.body is not None:
        document["requestBody"] = {
            "required": operation.body.required,
            "content": types.content(operation.body.content),
        }
    document["responses"] = _responses(operation, types)
    document["security"] = [{} if name == "none" else {name: []} for name in operation.security]
    return document


def _responses(operation: Operation, types: _Types) -> dict[str, Any]:
    usual = {status: {"$ref": f"#/components/responses/{_name(status)}"} for status in (*ALWAYS, *operation.problems)}
    own = {status: types.answer(answer) for status, answer in operation.answers.items()}
    return {str(status): answer for status, answer in sorted((usual | own).items())}


def _contents(bodies: Iterable[Body | None], answers: Iterable[Answer]) -> Iterator[Content]:
    for body in bodies:
        yield from body.content.values() if body is not None else ()
    for answer in answers:
        yield from answer.content.values()


def _key(type: Any) -> Any:
    """Return what is equal for equal types; `Any` and `bool | None` are no types that can be compared by identity."""
    return type, repr(type)


def _name(status: int) -> str:
    return f"Problem{status}"
