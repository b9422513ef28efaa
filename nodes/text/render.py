from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from engine.flow.node import Fixed, Node, NodeContext, Outcome, Port, Verbatim
from engine.language.kinds import A_TEXT
from engine.language.text_template import TemplateDefect, compile_text_template
from engine.problem import Problem, closest

_UNKNOWN = 'write what it needs under `values`, e.g. `values: {total: "{{ event.properties.total }}"}`'
_NAME = r"^[a-z][a-zA-Z0-9_]*$"


class TextRender(Node, frozen=True, tag="text.render"):
    """Make a longer text, such as a message, from a template with loops and conditions.

    The template is one of Jinja2, with `{{ … }}`, `{% if %}`, `{% for %}`, `{% set %}` and `{% with %}`. It reads
    nothing but `values`, and has the filters, functions and operators of expressions. An absent or null value cannot
    be written without a `default`. Loops have at most 10,000 turns together, filters read at most 2,000,000 characters
    and items together, and the text has at most 65,536 characters.
    """

    template: Annotated[
        Annotated[str, Meta(max_length=65_536)],
        Verbatim("a template of Jinja2"),
        Meta(description="The template", examples=["Hello {{ name }}!"]),
    ]
    values: Annotated[
        dict[Annotated[str, Meta(pattern=_NAME, description="a letter, then letters, digits and `_`")], Any],
        Meta(description="The values that the template reads, by name", examples=[{"name": "{{ profile.pii.name }}"}]),
    ] = field(default_factory=dict)
    format: Annotated[
        Literal["text", "html"],
        Fixed(),
        Meta(description="`html` escapes values, so that data is never markup", examples=["html"]),
    ] = "text"

    output = A_TEXT
    examples = (
        """\
receipt:
  text.render:
    template: |
      Hello {{ name | default('friend') }},
      {% for item in items %}
      - {{ item.sku }}{% if item.brand %} by {{ item.brand }}{% endif %}

      {% endfor %}
      Total: {{ total | round(2) }} EUR
    values:
      name: "{{ profile.traits.name | default('') }}"
      items: "{{ event.properties.items | default([]) }}"
      total: "{{ event.properties.total | default(0) }}"
""",
    )

    done = Port("The text is the node's output", main=True)

    @classmethod
    def own_problems(cls, fields: Mapping[str, Any]) -> Iterable[Problem]:
        """The error of a template, with its line; and each name that it reads and that is not among the values."""
        text, values = fields.get("template"), fields.get("values") or {}
        if not isinstance(text, str) or not isinstance(values, Mapping):
            return
        try:
            compiled = compile_text_template(text, html=fields.get("format") == "html")
        except TemplateDefect as defect:
            yield _at_line(text, defect.line, f"the template cannot be used: {defect}")
            return
        for name in sorted(compiled.reads - set(values)):
            near = closest(name, map(str, values))
            help = f"did you mean `{near}`?" if near else _UNKNOWN
            line = next((i for i, each in enumerate(text.split("\n"), 1) if name in each), 1)
            yield _at_line(text, line, f"the template reads `{name}`, which is not among its values", help)

    def run(self, context: NodeContext) -> Outcome:
        """Leave with the text; by `failed` for a value that does not fit, and beyond a limit."""
        compiled = compile_text_template(self.template, html=self.format == "html")
        return self.done(compiled.render(self.values, context.timezone))


def _at_line(text: str, line: int, message: str, help: str = "") -> Problem:
    """Return the problem of a line of the template."""
    lines = text.split("\n")
    before = lines[: max(0, min(line, len(lines)) - 1)]
    offset = sum(len(each) + 1 for each in before)
    length = len(lines[len(before)])
    return Problem(code="H114", message=message, path=("template",), offset=offset, length=max(1, length), help=help)
