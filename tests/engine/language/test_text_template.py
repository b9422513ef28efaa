import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.absent import Absent, Unfit, Unusable
from engine.language.operators import TEXT_CAP
from engine.language.text_template import MAX_TURNS, TemplateDefect, compile_text_template

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


def rendered(template: str, *, html: bool = False, **values: Any) -> str:
    return compile_text_template(template, html=html).render(values)


@pytest.mark.parametrize(("template", "values", "text"), [
    ("Hello {{ name }}!", {"name": "Ann"}, "Hello Ann!"),
    ("{{ a.b.c }}-{{ a['b']['c'] }}", {"a": {"b": {"c": 1}}}, "1-1"),
    ("{{ items[1] }}-{{ items[-1].x }}", {"items": [0, {"x": 2}]}, '{"x":2}-2'),
    ("{% for x in xs %}{{ loop.index }}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}", {"xs": ["a"]}, "1a"),
    ("{% for key in prices %}{{ key }}{% endfor %}", {"prices": {"a": 1, "b": 2}}, "ab"),
    ("{% for pair in prices | pairs %}{{ pair.key }}={{ pair.value }} {% endfor %}", {"prices": {"a": 1}}, "a=1 "),
    ("{% for i in range(3) %}{{ i }}{% endfor %}", {}, "012"),
    ("{% if a %}yes{% else %}no{% endif %}", {}, "no"),
    ("{% if a.b is defined %}yes{% else %}no{% endif %}", {"a": {}}, "no"),
    ("{{ a | default('x') }}{{ b.c.d | default('y') }}{{ n | default('z') }}", {"n": None}, "xyz"),
    ("{{ true }} {{ 1.5 }} {{ [1, 'a'] }}", {}, 'true 1.5 [1,"a"]'),
    ("{{ 0.1 + 0.2 }} {{ 2 ** 3 }} {{ 7 // 2 }}", {}, "0.3 8 3"),
    ("{{ total | round(2) }} {{ name | upper }} {{ max(1, 2) }}", {"total": 1.005, "name": "a"}, "1.01 A 2"),
    ("{{ at | format_date('%H:%M') }} {{ at | format_date('%H', 'Asia/Tokyo') }}", {"at": 0}, "00:00 09"),
    ("{{ 'a' if sku | matches('^A') else 'b' }}", {"sku": "A-1"}, "a"),
    ("{% set x = 1 %}{% with y = 2 %}{{ x + y }}{% endwith %}", {}, "3"),
    ("{{ items }}{{ keys }}{{ get }}", {"items": 1, "keys": 2, "get": 3}, "123"),
    ("{{ x.items }}", {"x": {"items": "members come first"}}, "members come first"),
    ("a\n{% if true %}\nb\n{% endif %}\nc", {}, "a\nb\nc"),
])  # fmt: skip
def test_a_template_is_filled_with_values(template: str, values: Mapping[str, Any], text: str) -> None:
    assert rendered(template, **values) == text


def test_times_are_those_of_the_project() -> None:
    made = compile_text_template("{{ at | format_date('%H') }}", html=False)
    assert made.render({"at": 0}, "Asia/Tokyo") == "09"


@pytest.mark.parametrize("value", ["<script>", {"a": "<b>"}, ["<i>"], "a & b", "\"x'"])
def test_in_html_data_is_never_markup(value: Any) -> None:
    for template in ("{{ value }}", "{{ value ~ '' }}", "<p title=\"{{ value }}\">", "{% for x in [value] %}{{ x }}{% endfor %}"):  # fmt: skip  # noqa: E501
        text = rendered(template, html=True, value=value).removeprefix('<p title="').removesuffix('">')
        assert not set(text) & set("<>\"'")
    assert "<" in rendered("{{ value | safe }}", html=True, value="<b>")


@pytest.mark.parametrize("template", ["{{ a }}", "{{ a.b }}", "{{ a ~ 'x' }}", "{{ a + 1 }}", "{{ a | upper }}", "{% for x in a %}{% endfor %}"])  # fmt: skip  # noqa: E501
@pytest.mark.parametrize("html", [True, False])
def test_an_absent_value_cannot_be_used(template: str, html: bool) -> None:
    with pytest.raises(Absent):
        rendered(template, html=html)


@pytest.mark.parametrize("template", ["{{ a }}", "{{ a | upper }}", "{% for x in a %}{% endfor %}"])
def test_a_null_cannot_be_used(template: str) -> None:
    with pytest.raises(Unfit):
        rendered(template, a=None)


@pytest.mark.parametrize("template", [
    "{{ a.__class__ }}", "{{ a['__class__'] }}", "{{ a.upper }}", "{{ a.format }}", "{{ b.keys }}", "{{ b.pop }}",
    "{{ c.append }}", "{{ c.__len__ }}", "{{ n.real }}", "{{ (1).__class__.__mro__ }}", "{{ a | attr('x') }}",
])  # fmt: skip
def test_values_have_no_attributes_and_no_methods(template: str) -> None:
    with pytest.raises((Unusable, TemplateDefect)):
        rendered(template, a="x", b={}, c=[], n=1)


@pytest.mark.parametrize("template", [
    "{{ a() }}", "{{ a.upper() }}", "{{ b.pop('x') }}", "{{ c.append(1) }}", "{{ 1 < 'a' }}", "{{ 'a' * 3 }}",
    "{{ 10 ** 100 }}", "{{ 'x' % 3 }}", "{{ a | replace('x') }}", "{{ 1 / 0 }}", "{{ range('a') }}",
    "{{ a | matches('(') }}",
])  # fmt: skip
def test_what_an_expression_refuses_a_template_refuses(template: str) -> None:
    with pytest.raises(Unusable):
        rendered(template, a="x", b={"x": 1}, c=[])


@pytest.mark.parametrize(("template", "line"), [
    ("{{ a", 1), ("x\n{% if a %}", 2), ("{{ a | nofilter }}", 1), ("{% include 'x' %}", 1),
    ("{% import 'x' as y %}", 1),
    ("{% extends 'x' %}", 1), ("\n\n{% macro f() %}{% endmacro %}", 3), ("{% block x %}{% endblock %}", 1),
    ("{% filter upper %}a{% endfilter %}", 1), ("{% set x %}a{% endset %}", 1), ("{% call f() %}{% endcall %}", 1),
    ("{% for x in y recursive %}{% endfor %}", 1), ("{{ __turns__ }}", 1), ("{{ " + "(" * 2000 + "}}", 1),
    ("{{ a | random }}", 1), ("{{ a | list }}", 1), ("{% autoescape false %}{{ a }}{% endautoescape %}", 1),
    ("{% do a %}", 1),
])  # fmt: skip
def test_what_is_no_part_of_the_language_is_a_defect_with_its_line(template: str, line: int) -> None:
    with pytest.raises(TemplateDefect) as raised:
        compile_text_template(template, html=False)
    assert raised.value.line == line
    assert str(raised.value)


def test_the_names_that_a_template_reads_are_known() -> None:
    template = "{% for x in items %}{{ x.a }}{{ name }}{% endfor %}{% set y = 1 %}{{ y + max(1, 2) }}"
    assert compile_text_template(template, html=False).reads == {"items", "name"}


def test_the_text_is_bounded() -> None:
    assert len(rendered("{{ a }}", a="x" * TEXT_CAP)) == TEXT_CAP
    with pytest.raises(Unfit, match="65,536"):
        rendered("{{ a }}{{ a }}", a="x" * (TEXT_CAP // 2 + 1))


@pytest.mark.parametrize("template", [
    "{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}", "{% for a in range(n) %}{% endfor %}",
    "{% for a in x %}{% if a %}{% endif %}{% endfor %}" * 11, "{% for a in x %}{{ loop.length }}{% endfor %}" * 11,
])  # fmt: skip
def test_the_turns_of_all_loops_are_bounded(template: str) -> None:
    begun = time.process_time()
    with pytest.raises(Unfit, match="10,000 turns"):
        rendered(template, x=[1] * 1000, n=10**12)
    assert time.process_time() - begun < 5  # the machine may be busy
    assert MAX_TURNS == 10_000


@pytest.mark.parametrize("part", [
    "{{ text | upper | length }}", "{% if loop.index in list %}{% endif %}", "{% if list == other %}{% endif %}",
    "{{ json | from_json | length }}", "{{ (text ~ text) | lower | length }}", "{{ list[1:] | length }}",
])  # fmt: skip
def test_what_is_read_in_loops_is_bounded(part: str) -> None:
    values = {"text": "x" * 60_000, "list": [[i] for i in range(9_999)], "other": [[i] for i in range(9_999)]}
    begun = time.process_time()
    with pytest.raises(Unfit, match="2,000,000 characters and items"):
        rendered(f"{{% for i in range(9000) %}}{part}{{% endfor %}}", json="[" + "[]," * 16_000 + "[]]", **values)
    assert time.process_time() - begun < 5
    assert rendered(f"{{% for i in range(8) %}}{part}{{% endfor %}}", json="[]", **values) != "{"


@given(JSON, JSON)
def test_any_data_is_filled_in_or_does_not_fit(a: Any, b: Any) -> None:
    template = (
        "{% for x in a %}{{ x.y }}{{ x[0] }}{{ a[x] }}{% if x == b %}{{ x }}{% endif %}{% endfor %}"
        "{{ a | default(b) | json }}{{ (a | default(0)) + b }}{{ b | length }}{{ a ~ b }}"
    )
    for html in (True, False):
        for part in (template, template[94:]):
            with suppress(Unusable):
                rendered(part, html=html, a=a, b=b)


@given(st.text("{}%a. |'()[]forin\n", max_size=40))
def test_any_template_is_compiled_or_has_a_defect(template: str) -> None:
    with suppress(TemplateDefect):
        compile_text_template(template, html=False)
