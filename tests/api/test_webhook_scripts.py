"""Webhooks with a script, in Rakam's contract: requests over HTTP. The scripts are functions in Python."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from engine.ports.script import (
    NO_SCRIPTS,
    ScriptBusy,
    ScriptFailed,
    Scripting,
    ScriptLine,
    ScriptRequest,
    ScriptResponse,
    ScriptResult,
    ScriptsNotInstalled,
    ScriptTimedOut,
    ScriptWorld,
)
from engine.project.script import Script
from tests.api.conftest import Serve
from tests.api.foreign_requests import stored
from tests.webhook_projects import webhook_project

Module = Callable[[Sequence[Any], ScriptWorld], Awaitable[Any]]
FILES = {"webhooks/mails.js": "function module(query, body, params, headers) {}"}
WEBHOOK = """
    webhook: mails
    source: shop
    methods: [POST, GET]
    when: headers['x-kind'] != 'test'
    script: mails.js
    params: {prefix: mail, token: "${env:TOKEN}"}
"""
PATH = "/webhook/collect/mails"
TOKEN = "a-token-that-is-secret"


class PythonModule:
    """Runs one Python function as the `module` of every script."""

    def __init__(self, module: Module, log: Sequence[str]) -> None:
        self._module = module
        self._log = tuple([ScriptLine("info", text) for text in log])

    async def run(
        self, script: Script, function: str, arguments: Sequence[Any], world: ScriptWorld, limit_ms: int
    ) -> ScriptResult:
        assert (function, limit_ms) == ("module", 3_000)
        return ScriptResult(value=await self._module(arguments, world), log=self._log)


async def answered(request: ScriptRequest) -> ScriptResponse:
    return ScriptResponse(200, f"answer of {request.url}")


async def served(serve: Serve, root: Path, module: Module, *log: str) -> Any:
    made = webhook_project(root, WEBHOOK, files=FILES, environment={"TOKEN": TOKEN})
    return await serve(made, scripting=Scripting(PythonModule(module, log), lambda script: answered))


def returning(value: Any) -> Module:
    async def module(_arguments: Sequence[Any], _world: ScriptWorld) -> Any:
        return value

    return module


def failing(error: Exception) -> Module:
    async def module(_arguments: Sequence[Any], _world: ScriptWorld) -> Any:
        raise error

    return module


async def test_a_script_gets_the_request_and_returns_an_event(serve: Serve, tmp_path: Path) -> None:
    calls: list[Sequence[Any]] = []

    async def module(arguments: Sequence[Any], world: ScriptWorld) -> Any:
        calls.append(arguments)
        answer = await world.fetch(ScriptRequest(method="GET", url="https://crm.example/1"))
        properties = {"_user": "C-1", "_id": "e-1", "_ip": True, "orderId": 720182990123456789, "answer": answer.body}
        return {"collection": "Mail", "properties": properties}

    client = await served(serve, tmp_path, module)
    for _ in range(3):
        answer = await client.post(f"{PATH}?a=1&a=2&write_key=x", content=b"event=opened", headers={"x-a": "b"})
        assert (answer.status_code, answer.text) == (200, "1")
    await client.get(PATH)
    [query, body, params, headers] = calls[0]
    assert (query, body, params) == ({"a": ["1", "2"]}, "event=opened", {"prefix": "mail", "token": TOKEN})
    assert headers["x-a"] == "b"
    assert calls[-1][1] is None
    [event] = await stored(client)
    assert (event["id"], event["type"]) == ("e-1", "mail")
    assert event["properties"] == {"order_id": 720182990123456789, "answer": "answer of https://crm.example/1"}


@pytest.mark.parametrize(
    ("value", "answer", "types"),
    [
        (None, "0", []),
        ("null", "0", []),
        ([], "0", []),
        ([{"collection": "a"}, {"collection": "b", "properties": {"x": 1}}], "1", ["a", "b"]),
        ([{"collection": "a"}, {"collection": "b", "properties": 5}], "1", ["a"]),
        ({"collection": "b", "properties": 5}, "0", []),
    ],
)
async def test_what_a_script_returns_is_taken(
    serve: Serve, tmp_path: Path, value: Any, answer: str, types: list[str]
) -> None:
    client = await served(serve, tmp_path, returning(value))
    response = await client.post(PATH, json={})
    assert (response.status_code, response.text) == (200, answer)
    assert sorted(event["type"] for event in await stored(client)) == types
    returned = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
    assert len(await stored(client, "rejected")) == len(returned) - len(types)


async def test_a_script_is_not_called_where_the_condition_does_not_hold(serve: Serve, tmp_path: Path) -> None:
    client = await served(serve, tmp_path, failing(ScriptFailed("it was called")))
    assert (await client.post(PATH, json={}, headers={"x-kind": "test"})).text == "0"


@pytest.mark.parametrize(
    ("module", "status", "detail"),
    [
        pytest.param(
            returning("x"), 400, "The script must return an object {collection: '', properties: {}}", id="text"
        ),
        pytest.param(
            returning([{}]), 400, "The script must return an object {collection: '', properties: {}}", id="nameless"
        ),
        pytest.param(returning([{"collection": "a"}] * 501), 413, "a request carries at most 500 events", id="many"),
        pytest.param(failing(ScriptTimedOut("3 s")), 500, "Webhook code timed-out", id="time"),
        pytest.param(failing(ScriptFailed(f"bad {TOKEN}")), 500, "Error executing callback code", id="error"),
        pytest.param(failing(ScriptBusy("32 calls")), 503, "the script of this webhook has too many", id="busy"),
        pytest.param(failing(ScriptsNotInstalled("install it")), 501, "install it", id="not installed"),
    ],
)
async def test_what_fails_is_answered_as_rakam_does_and_stores_nothing(
    serve: Serve, tmp_path: Path, module: Module, status: int, detail: str
) -> None:
    client = await served(serve, tmp_path, module)
    with capture_logs() as logs:
        answer = await client.post(PATH, json={})
    assert (answer.status_code, answer.json()["detail"][: len(detail)]) == (status, detail)
    assert await stored(client) == []
    assert [(line["protocol"], line["status"]) for line in logs] == [("webhook mails", status)]
    assert TOKEN not in str(logs)
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)


async def test_a_script_keeps_nothing_and_stores_only_what_it_returns(serve: Serve, tmp_path: Path) -> None:
    async def module(_arguments: Sequence[Any], world: ScriptWorld) -> Any:
        assert await world.state("cursor") is None
        for attempt in (world.keep("cursor", 1), world.store_events([])):
            with pytest.raises(ScriptFailed):
                await attempt

    client = await served(serve, tmp_path, module)
    assert (await client.post(PATH, json={})).text == "0"


async def test_what_a_script_logs_stands_in_the_log_without_secrets(serve: Serve, tmp_path: Path) -> None:
    client = await served(serve, tmp_path, returning(None), "begun", f"with {TOKEN}")
    with capture_logs() as logs:
        await client.post(PATH, json={})
    assert [(line["webhook"], line["text"]) for line in logs] == [("mails", "begun"), ("mails", "with ***")]


async def test_without_what_runs_scripts_the_answer_says_how_to_install_it(serve: Serve, tmp_path: Path) -> None:
    made = webhook_project(tmp_path, WEBHOOK, files=FILES, environment={"TOKEN": TOKEN})
    client = await serve(made, scripting=NO_SCRIPTS)
    answer = await client.post(PATH, json={})
    assert (answer.status_code, "install the extra `headrace[js]`" in answer.json()["detail"]) == (501, True)
