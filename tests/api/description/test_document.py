"""The OpenAPI document: valid, complete, and with examples that fit their schemas."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from litestar import Litestar
from litestar.routes import ASGIRoute, HTTPRoute
from openapi_spec_validator import validate

from api.app import create_app
from api.description.operation import DESCRIBED, OPERATIONS, Operation
from api.description.routes import carried, document_of, operations_of
from api.description.types import ANY_OBJECT
from api.documents.record import PAGES
from api.tracking.discovery import endpoints
from engine.ports.kinds import SEARCHABLE
from storage.memory import MemoryStore
from tests.api.conftest import ADMIN_KEY, Serve
from tests.projects import project

ADMIN = {"authorization": f"Bearer {ADMIN_KEY}"}
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture(scope="module")
def app() -> Litestar:
    """An application of an empty project."""
    return create_app(project(), MemoryStore())


@pytest.fixture(scope="module")
def document(app: Litestar) -> dict[str, Any]:
    """Its document."""
    return document_of(app)


def described(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The operations of a document, with method and path."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    validate(document)


def test_every_route_is_described(app: Litestar, document: dict[str, Any]) -> None:
    for route in app.routes:
        if isinstance(route, ASGIRoute):
            page = route.path.startswith("/console/")  # a part of a page is no operation of the API
            assert page or carried(route.route_handler, route.path), f"{route.path} is served, but has no operations"
        elif isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                for method in handler.http_methods & METHODS:
                    known = OPERATIONS in handler.opt or method.lower() in document["paths"].get(route.path_format, {})
                    assert known or not handler.resolve_include_in_schema(), f"{method} {route.path}"


def test_every_typed_handler_says_what_its_signature_does_not(app: Litestar) -> None:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if handler.resolve_include_in_schema() and "OPTIONS" not in handler.http_methods:
                    assert {DESCRIBED, OPERATIONS} & set(handler.opt), f"add `opt=described(…)` to {route.path}"


def test_operations_stand_once_at_the_handler_that_serves_them(app: Litestar) -> None:
    found = [(each.method, each.path) for each in operations_of(app)]
    assert len(found) == len(set(found))
    given = [each for endpoint in endpoints() for each in endpoint.operations]
    assert {(each.method, each.path) for each in given} <= set(found)
    for endpoint in endpoints():
        served = {(method, address) for address in endpoint.addresses for method in endpoint.methods}
        assert {(each.method, each.path) for each in endpoint.operations} == served


async def test_every_described_operation_is_served(serve: Serve, app: Litestar) -> None:
    client = await serve(project())
    for method, path, operation in described(document_of(app)):
        streams = "text/event-stream" in operation["responses"].get("200", {}).get("content", {})
        answer = await client.request(
            method,
            re.sub(r"\{\w+\}", "x", path),
            params={"after": "x"} if streams else {},  # refused: a stream would not end
            headers={"authorization": f"Bearer {ADMIN_KEY}"},
        )
        status = str(answer.status_code)
        assert status in operation["responses"], f"{method} {path} answers {status}: {answer.text[:200]}"
        assert status != "405", f"{method} {path}"
        if status == "404":
            assert answer.json()["detail"] != "Not Found", f"{method} {path}"


async def test_other_methods_of_described_addresses_are_refused(serve: Serve, app: Litestar) -> None:
    client = await serve(project())
    for path, item in document_of(app)["paths"].items():
        if path.startswith(("/webhook/", "/event/hook/")):
            continue  # which methods one takes is in its file
        for method in METHODS - {known.upper() for known in item}:
            answer = await client.request(method, re.sub(r"\{\w+\}", "x", path))
            assert answer.status_code == 405, (method, path)
            assert answer.headers["content-type"] in {"application/problem+json", "image/gif"}, path
            assert set(item) <= {each.strip().lower() for each in answer.headers["allow"].split(",")}, path


def test_every_operation_can_become_a_function(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in described(document)]
    assert len({id.lower() for id in ids}) == len(ids)
    assert all(re.fullmatch(r"[a-z][A-Za-z0-9]+", id) for id in ids)
    for method, path, operation in described(document):
        assert operation["summary"], (method, path)
        assert {tag["name"] for tag in document["tags"]} >= set(operation["tags"])
        named = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path))


def test_problem_documents_are_described_everywhere(document: dict[str, Any]) -> None:
    for method, path, operation in described(document):
        answers = operation["responses"]
        assert {"400", "408", "413", "431", "500", "503"} <= set(answers), (method, path)
        if {"adminKey": []} in operation["security"]:
            assert {"401", "429"} <= set(answers), (method, path)
        if "requestBody" in operation and path not in {"/event/pixel", "/import"}:  # these read any media type
            assert "415" in answers, (method, path)
    responses = document["components"]["responses"]
    assert responses["Problem503"]["headers"]["Retry-After"]["required"]
    assert set(responses["Problem503"]["content"]) == {"application/problem+json"}


def test_every_answer_and_body_in_json_has_an_example(document: dict[str, Any]) -> None:
    for method, path, operation in described(document):
        parts = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in [part["content"].get("application/json") for part in parts if "content" in part]:
            assert content is None or content.get("examples") or path == "/event/pixel", (method, path)


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    def examples(part: Any) -> Iterator[tuple[dict[str, Any], Any]]:
        if isinstance(part, dict):
            if "schema" in part:
                yield from ((part["schema"], one["value"]) for one in part.get("examples", {}).values())
                yield from [(part["schema"], part["example"])] if "example" in part else []
                yield from [(part["schema"], part["schema"]["default"])] if "default" in part["schema"] else []
            part = list(part.values())
        for each in part if isinstance(part, list) else ():
            yield from examples(each)

    found = list(examples(document["paths"])) + list(examples(document["components"]["responses"]))
    assert len(found) > 100
    for schema, example in found:
        whole = {**schema, "components": document["components"]}
        Draft202012Validator(whole).validate(example)


def test_no_schema_is_left_to_be_guessed(document: dict[str, Any]) -> None:
    """Where a body is any object, it is what a project or another system decides."""
    free = {
        "/schema/openapi.json",
        "/v1/projects/{key}/settings",
        "/sourceConfig",
        "/v1/m",
        "/array/{key}/config",
        "/event/bulk/commit",
        "/event/pixel",
        "/webhook/collect/{name}",
        "/event/hook/collect/{name}",
    }
    for method, path, operation in described(document):
        for part in [operation.get("requestBody", {}), *operation["responses"].values()]:
            schema = part.get("content", {}).get("application/json", {}).get("schema")
            if schema is not None and path not in free and not path.startswith("/collect/"):
                assert schema not in ({}, ANY_OBJECT), (method, path)


def test_each_kind_of_document_has_an_answer_of_its_own() -> None:
    assert set(PAGES) == set(SEARCHABLE)


def test_operations_are_not_copied_with_their_handlers(app: Litestar) -> None:
    known = {id(each) for endpoint in endpoints() for each in endpoint.operations}
    copied = [each for each in operations_of(app) if each.tag in {"segment", "posthog"}]
    assert all(isinstance(each, Operation) and id(each) in known for each in copied)
