"""Requests of scripts go to targets of the project, or nowhere."""

import pytest

from effects.javascript.fetch import ScriptFetch, target_of
from engine.flow.ask import HttpReply, NoAnswer, Reply
from engine.ports.script import ScriptFailed, ScriptRequest, ScriptResponse
from engine.ports.world import OutsideCall
from engine.project.source import Target

TARGETS = {
    "crm": Target(url="https://crm.example/api"),
    "crm-v2": Target(url="https://crm.example/api/v2/"),
    "local": Target(url="http://localhost:8080"),
    "mail": Target(url="smtp://mail.example:587"),
}


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://crm.example/api", ("crm", "/", {})),
        ("https://CRM.example:443/api/people/1?a=1&a=&b=%C3%BC", ("crm", "/people/1", {"a": ["1", ""], "b": ["ü"]})),
        ("https://crm.example/api/v2/people", ("crm-v2", "/people", {})),
        ("http://localhost:8080/x#part", ("local", "/x", {})),
    ],
)
def test_an_address_belongs_to_the_target_with_the_longest_one(
    url: str, target: tuple[str, str, dict[str, list[str]]]
) -> None:
    assert target_of(url, TARGETS) == target


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example/apis",
        "https://crm.example/",
        "http://crm.example/api",
        "https://crm.example.evil.example/api",
        "https://crm.example@evil.example/api",
        "https://user@crm.example/api",
        "https://crm.example:8443/api",
        "https://crm.example:99999/api",
        "//crm.example/api",
        "/api",
        "",
        "smtp://mail.example:587",
        "file:///etc/passwd",
        "https://[::1/api",
    ],
)
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(ScriptFailed):
        target_of(url, TARGETS)


class Answering:
    """A performer with one reply."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.calls: list[OutsideCall] = []

    async def perform(self, call: OutsideCall) -> Reply:
        self.calls.append(call)
        return self.reply


async def test_a_script_gets_the_text_of_an_answer() -> None:
    performer = Answering(HttpReply(201, {"id": 720182990123456789}))
    request = ScriptRequest(method="POST", url="http://localhost:8080/x", headers={"a": "b"}, body="f=1")
    assert await ScriptFetch(performer, TARGETS, "s.js")(request) == ScriptResponse(201, '{"id":720182990123456789}')
    (call,) = performer.calls
    assert (call.ask.target, call.ask.text, call.ask.body) == ("local", "f=1", None)  # type: ignore[union-attr]


async def test_no_answer_is_a_failure_that_names_the_target() -> None:
    fetch = ScriptFetch(Answering(NoAnswer("timeout", "it took too long")), TARGETS, "s.js")
    with pytest.raises(ScriptFailed, match="GET to the target local: it took too long"):
        await fetch(ScriptRequest(method="GET", url="http://localhost:8080/x"))
