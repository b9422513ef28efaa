from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, Final

import jsonschema_rs
import msgspec
from jsonschema_rs import RegexOptions, ValidationError
from msgspec import Meta

from engine.flow.node import Node, NodeContext, Outcome, Port, Verbatim
from engine.language.kinds import A_LIST, A_NUMBER, OBJECT, Shape
from engine.language.path import show_path
from engine.problem import Problem

MAX_ERRORS: Final = 20  # that the output lists
MAX_SCHEMA: Final = 65_536  # bytes, as JSON
_HELP: Final = {
    "type": "the types are `string`, `number`, `integer`, `boolean`, `object`, `array` and `null`",
    "pattern": "a pattern is a regular expression without look-around and back-references",
    "format": "formats are `email`, `date-time`, `date`, `uri`, `uuid`, `ipv4`, …",
}
_LONGEST: Final = 200  # characters of a message
_PATTERN_BYTES: Final = 1 << 20  # of memory that a compiled pattern may use


class Validate(Node, frozen=True, tag="validate"):
    """Check a value by a JSON Schema.

    The schema is written in YAML. It is one of draft 2020-12, or of the older draft that its `$schema` names. Formats
    such as `email` are checked. `$ref` leads only to parts of the schema itself, and patterns are regular expressions
    that run in linear time, without look-around.
    """

    value: Annotated[Any, Meta(description="The value", examples=["{{ event.properties }}"])]
    schema: Annotated[
        dict[str, Any] | bool,
        Verbatim("no templates"),
        Meta(
            description="The JSON Schema",
            examples=[{"type": "object", "required": ["order_id"], "properties": {"total": {"minimum": 0}}}],
        ),
    ]

    output = Shape(OBJECT, {"errors": A_LIST, "count": A_NUMBER})
    examples = (
        """\
complete:
  validate:
    value: "{{ event.properties }}"
    schema:
      type: object
      required: [order_id, total]
      properties:
        total: {type: number, minimum: 0}
        items: {type: array, items: {type: object, required: [sku]}}
""",
    )

    valid = Port("The value is valid", main=True)
    invalid = Port(
        "It is not; the output has `count` and up to 20 `errors`, each with the `path` in the value, the `keyword` and "
        "a `message`"
    )

    @classmethod
    def own_problems(cls, fields: Mapping[str, Any]) -> Iterable[Problem]:
        """The error of a schema that cannot be used."""
        raw = fields.get("schema")
        if not isinstance(raw, dict | bool):
            return
        try:
            _validator(_encoded(raw))
        except ValidationError as error:
            message = f"`schema` is no JSON Schema: {_cut(error.message)}"
            last = error.instance_path[-1] if error.instance_path else ""
            help = _HELP.get(str(last), "the keywords are those of JSON Schema draft 2020-12: `type`, `required`, …")
            if "Retrieval is disabled" in error.message or "$ref" in error.message:
                message = "`schema` refers to another document, and none is fetched"
                help = "write the part under `$defs`, and refer to it: `$ref: '#/$defs/NAME'`"
            yield Problem(code="H114", message=message, path=("schema", *error.instance_path), help=help)
        except (TypeError, ValueError, RecursionError) as error:
            yield Problem(code="H114", message=f"`schema` is no JSON Schema: {_cut(str(error))}", path=("schema",))

    def run(self, context: NodeContext) -> Outcome:
        """Leave by `valid` or `invalid`; by `failed` for a value that cannot be checked."""
        try:
            errors = list(islice(_validator(_encoded(self.schema)).iter_errors(self.value), MAX_ERRORS + 1))
        except UnicodeError:
            return self.failed(reason="the value has half characters")
        except ValueError as error:
            return self.failed(reason=f"the value cannot be checked: {_cut(str(error))}")
        if not errors:
            return self.valid({"errors": [], "count": 0})
        shown = [
            {"path": show_path(tuple(error.instance_path)), "keyword": error.kind.name, "message": _cut(error.message)}
            for error in errors[:MAX_ERRORS]
        ]
        first = f"{shown[0]['path']}: {shown[0]['message']}".removeprefix(": ")
        return self.invalid({"errors": shown, "count": len(errors)}, reason=first)


def _encoded(schema: dict[str, Any] | bool) -> bytes:
    encoded = msgspec.json.encode(schema)
    if len(encoded) > MAX_SCHEMA:
        raise ValueError(f"it has more than {MAX_SCHEMA:,} bytes")
    return encoded


@lru_cache(maxsize=256)
def _validator(schema: bytes) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(
        msgspec.json.decode(schema),
        offline=True,
        validate_formats=True,
        ignore_unknown_formats=False,
        mask="the value",
        pattern_options=RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES),
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
