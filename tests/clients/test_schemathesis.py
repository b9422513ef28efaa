"""Requests that schemathesis makes from the description: no answer is an error, or one that is not described."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.clients.client import DRIVERS
from tests.clients.described import run_python
from tests.clients.described_project import FILES, SECRET, write_described_project
from tests.servers.left_out import or_skipped
from tests.system.server_process import ServerProcess, serving_on

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
)
ORDER = {"type": "order-placed", "id": "order-1", "properties": {"total": 12.5}}
KEYS = {"keyInQuery": "shop", "rakamKey": "shop", "productKey": "shop"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with something behind every route."""
    place = tmp_path_factory.mktemp("described")
    project = write_described_project(place / "project")
    with serving_on(project, f"sqlite:{place / 'store.db'}") as process:
        yield process


@pytest.fixture
def folder(tmp_path: Path, server: ServerProcess) -> Path:
    """A folder with the configuration: keys, and ids of what is stored."""
    (tmp_path / "schemathesis.toml").write_text(configuration(server))
    return tmp_path


def sent(server: ServerProcess, path: str, body: Any = None, headers: Mapping[str, str] = {}) -> Any:
    """Send a request, and return the JSON of its answer."""
    content = None if body is None else json.dumps(body).encode()
    request = Request(f"{server.address}{path}", content, {"Content-Type": "application/json", **headers})
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def configuration(server: ServerProcess) -> str:
    """The configuration of schemathesis, after some events have been sent."""
    mine, others, forgotten = (
        sent(server, "/track", {"source": {"id": "shop"}, "session": {"id": name}, "events": [{**ORDER, "id": name}]})
        for name in ("order-1", "order-2", "order-3")
    )
    forgetting = sent(server, f"/profiles/{forgotten['profile']['id']}/forget", {}, server.admin)["forgetting"]
    (run,) = sent(server, "/search/runs?q=flow:count-orders+AND+event:order-1", headers=server.admin)["items"]
    (delivery, *_) = sent(server, "/deliveries", headers=server.admin)["items"]
    (wait, *_) = sent(server, "/waits", headers=server.admin)
    places = {
        "^/events/": ("id", "order-1"),
        "^/runs/": ("id", run["id"]),
        "^/deliveries/": ("id", delivery["id"]),
        "^/waits/": ("id", wait["id"]),
        "^/forgettings/": ("name", forgetting),
        "^/profiles/.*(?<!forget)$": ("id", mine["profile"]["id"]),
        "^/profiles/.*forget$": ("id", others["profile"]["id"]),
        "^/profiles/.*/segments/": ("segment", "customers"),
        "^/tasks/": ("name", "fetch-orders"),
        "^/schemas/": ("type", "order-placed"),
        "^/(webhook|event/hook)/": ("name", "stripe"),
    }
    key = server.admin["Authorization"].removeprefix("Bearer ")
    lines = ["[auth.openapi.adminKey]", f'bearer = "{key}"']
    for scheme, value in KEYS.items():
        lines += [f"[auth.openapi.{scheme}]", f'api_key = "{value}"']
    for pattern, (name, value) in places.items():
        lines += [
            "[[operations]]",
            f"include-path-regex = '{pattern}'",
            f'parameters = {{ "path.{name}" = "{value}" }}',
        ]
    return "\n".join(lines)


def tried(server: ServerProcess, folder: Path, *options: str) -> int:
    """Have requests made and checked, and return how many they were."""
    said = run_python(
        "schemathesis.cli",
        "--config-file",
        "schemathesis.toml",
        "run",
        f"{server.address}/schema/openapi.json",
        f"--checks={','.join(CHECKS)}",
        "--generation-with-security-parameters=false",
        "--generation-database=none",
        "--continue-on-failure",
        "--request-timeout=20",
        *options,
        folder=folder,
        path=DRIVERS,
        environment={
            "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
            "PRODUCT_SECRET": FILES["product-secret"],
            "TILL_KEY": SECRET,
        },
    )
    (cases,) = re.findall(r"(\d+) generated", said)
    return int(cases)


def test_no_request_brings_an_error_or_an_answer_that_is_not_described(
    server: ServerProcess, folder: Path, request: pytest.FixtureRequest
) -> None:
    with or_skipped(request.config, "the Python clients"):
        assert tried(server, folder, "--phases=examples,fuzzing", "--max-examples=6", "--seed=16") >= 500
    assert '"level": "error"' not in server.output


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_thousands_of_requests_bring_none_either(
    server: ServerProcess, folder: Path, request: pytest.FixtureRequest
) -> None:
    with or_skipped(request.config, "the Python clients"):
        assert tried(server, folder, "--phases=examples,coverage,fuzzing", "--max-examples=100") >= 10_000
    assert '"level": "error"' not in server.output
