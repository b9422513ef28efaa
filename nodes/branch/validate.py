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
MAX_DETAILED: Final = 2_000  # parts of an invalid value whose errors are described: each takes time, by all its parts
MAX_LOCATED: Final = 10_000  # parts of one whose errors are found at all
_LONGEST: Final = 200  # characters of a message
_PATTERN_BYTES: Final = 1 << 20  # of memory that a compiled pattern may use


class Validate(Node, frozen=True, tag="validate"):
    """Check a value by a JSON Schema.

    The schema is written in YAML. It is one of draft 2020-12, or of the older draft that its `$schema` names. Formats
    such as `email` are checked. `$ref` leads only to parts of the schema itself, and patterns are regular expressions
    that run in linear time, without look-around. Of a value with more than 2,000 parts, errors have no further message,
    and one with more than 10,000 parts has one error for all.
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
            validator = _validator(_encoded(self.schema))
            if validator.is_valid(self.value):
                return self.valid({"errors": [], "count": 0})
            shown = _errors(validator, self.value)
        except UnicodeError:
            return self.failed(reason="the value has half characters")
        except ValueError as error:
            return self.failed(reason=f"the value cannot be checked: {_cut(str(error))}")
        first = f"{shown[0]['path']}: {shown[0]['message']}".removeprefix(": ")
        return self.invalid({"errors": shown[:MAX_ERRORS], "count": len(shown)}, reason=first)


def _errors(validator: jsonschema_rs.Validator, value: Any) -> list[dict[str, str]]:
    """Return the first errors of an invalid value, one more than are shown. Those of a large one are not described."""
    if not _has_more_parts(value, MAX_DETAILED):
        found = islice(validator.iter_errors(value), MAX_ERRORS + 1)
        return [
            {"path": show_path(tuple(each.instance_path)), "keyword": each.kind.name, "message": _cut(each.message)}
            for each in found
        ]
    if _has_more_parts(value, MAX_LOCATED):
        message = f"the value is not valid; it has more than {MAX_LOCATED:,} parts, so its errors are not listed"
        return [{"path": "", "keyword": "", "message": message}]
    return [_located(each) for each in validator.evaluate(value).errors()[: MAX_ERRORS + 1]]


def _located(error: Mapping[str, Any]) -> dict[str, str]:
    keyword = error["schemaLocation"].rpartition("/")[2]
    names = [_unescaped(part) for part in error["instanceLocation"].split("/")[1:]]
    path = show_path(tuple([int(name) if name.isdecimal() else name for name in names]))
    return {"path": path, "keyword": keyword, "message": f"the value does not meet `{keyword}`"}


def _unescaped(part: str) -> str:
    """Return a part of a JSON pointer as the name that it stands for."""
    return part.replace("~1", "/").replace("~0", "~")


def _has_more_parts(value: Any, most: int) -> bool:
    """Return whether plain data has more than `most` lists, objects and other values together."""
    count, todo = 1, [value]
    while todo and count <= most:
        each = todo.pop()
        if isinstance(each, dict | list | tuple):
            count += len(each)
            todo += each.values() if isinstance(each, dict) else each
    return count > most


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
