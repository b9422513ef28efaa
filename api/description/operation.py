"""Operations as data: a method of an address, with all that goes in and comes out. They stand beside their handlers.

A handler carries its operations in its `opt`, where `api.description.routes` finds them: one that is an ASGI
application by `operations(…)`, in full; a typed one by `described(…)`, which adds what its signature does not say.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from msgspec import Meta, Struct

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"

OPERATIONS: Final = "operations"  # the names of members of a handler's `opt`
DESCRIBED: Final = "described"

BINARY: Any = Annotated[str, Meta(extra_json_schema={"format": "binary"})]  # bytes as they are, no JSON

Security = Literal["adminKey", "sourceKey", "basicKey", "keyInQuery", "productKey", "rakamKey", "none"]


class Parameter(Struct, frozen=True):
    """A parameter. With `pairs`, it stands for any number of parameters of a query, whatever their names."""

    name: str
    place: Literal["path", "query", "header"]
    description: str = ""
    type: Any = str
    required: bool = False
    example: Any = None
    default: Any = None
    pairs: bool = False


class Content(Struct, frozen=True):
    """A body in one media type: the type that it is decoded to, and examples by name."""

    type: Any
    examples: Mapping[str, Any] = {}


class Body(Struct, frozen=True):
    """The body of a request, in each media type that is taken."""

    content: Mapping[str, Content]
    required: bool = True


class Header(Struct, frozen=True):
    """A header of an answer."""

    description: str
    type: Any = str
    required: bool = False
    example: Any = None


class Answer(Struct, frozen=True):
    """An answer: its body in each media type, none for an empty one, and its own headers."""

    description: str
    content: Mapping[str, Content] = {}
    headers: Mapping[str, Header] = {}


class _Kept(Struct, frozen=True):
    """A value in a handler's `opt`. Litestar copies handlers deeply, but this never changes."""

    def __deepcopy__(self, memo: object) -> Self:
        return self


class Operation(_Kept, frozen=True, kw_only=True):
    """A method of an address. `id` is the name of its function in clients that are made from the document.

    `problems` are statuses of usual problem documents, beside those that any address may answer.
    """

    method: str
    path: str
    id: str
    tag: str
    summary: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    answers: Mapping[int, Answer]
    problems: tuple[int, ...] = ()
    security: tuple[Security, ...] = ()


class Described(_Kept, frozen=True, kw_only=True):
    """An addition to the signature of a typed handler: the rest of its operation."""

    id: str
    answers: Mapping[int, Answer]
    problems: tuple[int, ...] = ()
    examples: Mapping[str, Any] = {}  # of the request's body, by name
    sends: Body | None = None  # the body of a request that the handler reads by itself
    parameters: Mapping[str, Any] = {}  # examples of parameters, by name


def json_content(type: Any, example: Any = None, *, media_type: str = JSON) -> dict[str, Content]:
    """Return the content of a body in JSON, with an example."""
    return {media_type: Content(type, {} if example is None else {"example": example})}


def json_answer(type: Any, example: Any = None, description: str = "Done") -> Answer:
    """Return an answer in JSON."""
    return Answer(description, json_content(type, example))


def json_body(type: Any, example: Any) -> Body:
    """Return the body of a request in JSON."""
    return Body(json_content(type, example))


def operations(*described: Operation) -> dict[str, tuple[Operation, ...]]:
    """Return the `opt` of a handler that carries these operations, and no others."""
    return {OPERATIONS: described}


def described(
    id: str,
    answer: Any,
    *problems: int,
    status: int = 200,
    says: str = "Done",
    example: Any = None,
    body: Any = None,
    sends: Body | None = None,
    parameters: Mapping[str, Any] = {},
) -> dict[str, Described]:
    """Return the `opt` of a typed handler: the operation's id, and its answer with an `example`.

    `answer` is a type in JSON, an `Answer`, or all answers by status. `problems` are further statuses of problem
    documents; those of keys, bodies and addresses are known. `body` and `parameters` are examples;
    `sends` describes a body that is no parameter of the handler.
    """
    if isinstance(answer, Mapping):
        answers = answer
    else:
        answers = {status: answer if isinstance(answer, Answer) else json_answer(answer, example, says)}
    examples = {} if body is None else {"example": body}
    about = Described(id=id, answers=answers, problems=problems, examples=examples, sends=sends, parameters=parameters)
    return {DESCRIBED: about}
