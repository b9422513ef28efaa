import pytest
from msgspec import structs

from engine.language.absent import Unusable
from nodes.text.render import TextRender
from tests.nodes.build import node_context


def test_the_text_is_the_output():
    outcome = TextRender(template="Hello {{ name }}", values={"name": "Ann"}).run(node_context())
    assert (outcome.port, outcome.out) == ("done", "Hello Ann")


@pytest.mark.parametrize(("format", "text"), [("text", "<b>"), ("html", "&lt;b&gt;")])
def test_html_escapes_values(format, text):
    assert TextRender(template="{{ a }}", values={"a": "<b>"}, format=format).run(node_context()).out == text


def test_times_are_those_of_the_project():
    node = TextRender(template="{{ at | format_date('%H') }}", values={"at": 0})
    assert node.run(structs.replace(node_context(), timezone="Asia/Tokyo")).out == "09"


def test_a_value_that_does_not_fit_makes_it_fail():
    with pytest.raises(Unusable):  # the machine makes it leave by `failed`
        TextRender(template="{{ a }}", values={"a": None}).run(node_context())


@pytest.mark.parametrize(("fields", "word", "span"), [
    ({"template": "a\n{% if x %}"}, "cannot be used", (2, 10)),
    ({"template": "a\n{{ nmae }}", "values": {"name": 1}}, "reads `nmae`", (2, 10)),
    ({"template": "{{ event.id }}"}, "reads `event`", (0, 14)),
])  # fmt: skip
def test_an_error_of_the_template_has_its_line(fields, word, span):
    (problem,) = TextRender.own_problems(fields)
    assert word in problem.message
    assert (problem.path, problem.offset, problem.length) == (("template",), *span)


def test_a_good_template_has_no_error():
    assert not list(TextRender.own_problems({"template": "{{ a }}{{ max(1, 2) }}", "values": {"a": 1}}))
