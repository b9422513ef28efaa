"""Literal texts in a node's config that look as if something were read."""

import pytest

from engine.flow.literal_texts import literal_texts
from tests.engine.flow.build import compiled


@pytest.mark.parametrize(
    ("text", "culprit", "help"),
    [
        ("Hello ${event.properties.name}", "${event.properties.name}", "{{ event.properties.name }}"),
        ("Hello ${name}!", "${name}", "{{ event.properties.name }}"),
        ("Hello $name", "$name", "{{ event.properties.name }}"),
        ("$event.properties.name", "$event.properties.name", "{{ event.properties.name }}"),
        ("see $.event.properties.name", "$.event.properties.name", "{{ event.properties.name }}"),
        ("#{name}", "#{name}", "{{ event.properties.name }}"),
        ("@{name}", "@{name}", "{{ event.properties.name }}"),
        ("%{name}", "%{name}", "{{ event.properties.name }}"),
        ("<%= event.properties.name %>", "<%= event.properties.name %>", "{{ event.properties.name }}"),
        ("[% name %]", "[% name %]", "{{ event.properties.name }}"),
        ("Hello {name}", "{name}", "{{ event.properties.name }}"),
        ("/customers/{id}/orders", "{id}", "{{ event.properties.id }}"),
        ("{profile.traits.tier}", "{profile.traits.tier}", "{{ profile.traits.tier }}"),
        ("{event.properties.total | round(2)}", "{event.properties.total | round(2)}", "{{ event.properties.total }}"),
        ("Hello { event.properties.name }}", "{ event.properties.name }}", "{{ event.properties.name }}"),
        ("{ { event.properties.name } }", "{ { event.properties.name } }", "{{ event.properties.name }}"),
        ("%(name)s and more", "%(name)s", "{{ event.properties.name }}"),
        ("[[ profile.id ]]", "[[ profile.id ]]", "{{ profile.id }}"),
        ("$(profile.id)", "$(profile.id)", "{{ profile.id }}"),
        ("*|NAME|*", "*|NAME|*", "{{ event.properties.NAME }}"),
        ("%%name%%", "%%name%%", "{{ event.properties.name }}"),
        ("${{ event.properties.name }}", "${{ event.properties.name }}", "{{ event.properties.name }}"),
        ("{{ event.id }} and ${name}", "${name}", "{{ event.properties.name }}"),
    ],
)
def test_a_template_of_another_language_gets_a_warning(text: str, culprit: str, help: str):
    (problem,) = literal_texts({"a": [text]}, ("nodes", "n"))
    assert problem.offset is not None
    assert (problem.code, problem.severity, problem.path) == ("H230", "warning", ("nodes", "n", "a", 0))
    assert text[problem.offset : problem.offset + problem.length] == culprit
    assert f"`{help}`" in problem.help


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("Hello event.properties.name", "event.properties.name"),
        ("/customers/profile.id", "profile.id"),
        ("rate:event.properties.currency", "event.properties.currency"),
        ("id={{ event.id }}&name=event.properties.name", "event.properties.name"),
        ("Score: nodes.crm.out.score", "nodes.crm.out.score"),
    ],
)
def test_a_path_within_a_text_gets_a_warning(text: str, culprit: str):
    (problem,) = literal_texts(text, ())
    assert problem.offset is not None
    assert (problem.code, problem.severity) == ("H212", "warning")
    assert text[problem.offset : problem.offset + problem.length] == culprit
    assert f"{{{{ {culprit} }}}}" in problem.help


@pytest.mark.parametrize(
    "text",
    [
        "$5",
        "from $12.50 to $ 20 (US$)",
        "100% off, 50 % more, %d items",
        "a { color: red }",
        "a{color:red}",
        '{"a": {"b": [1, {"c": 2}]}}',
        "{}",
        "x{2}",
        "C# and #hash",
        "[x] [[1]] <b>bold</b>",
        "function f(x) { return x; }",
        "event.preventDefault() and event.target",
        "No event.properties.total in this event",
        "event.properties.total is missing",
        "the event.type of an order",
        "ann@profile.id",
        "{{ '${name}' }}",
        "{{ event.properties.a }} {{ profile.id }}",
        "$.event.properties.name",
    ],
)
def test_an_ordinary_text_gets_none(text: str):
    assert list(literal_texts(text, ())) == []


@pytest.mark.parametrize("reference", ["${env:KEY}", "${file:/run/secrets/key}", "${secret:key}"])
def test_a_reference_to_a_secret_is_an_error(reference: str):
    text = f"Bearer {reference}"
    (problem,) = literal_texts(text, ())
    assert (problem.code, problem.severity, problem.offset, problem.length) == ("H231", "error", 7, len(reference))
    assert "headrace.yaml" in problem.help


def test_a_text_that_cannot_be_compiled_has_that_problem_alone():
    assert [problem.code for problem in compiled("a: {log: '{{ event.x ?? 1 }} ${name}'}")[1]] == ["H201"]
