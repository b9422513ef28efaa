"""Knowledge of a flow about the properties of its events: the fields that schemas declare for the types of its trigger.

Other fields are allowed beside declared ones, and events that flows emit are not cast. So nothing here is an error: a
field that is not declared is reported where a declared one has a similar name, and a type is only a hint.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import structs

from engine.flow.graph import Wiring
from engine.flow.plan import Trigger
from engine.language.fields import FIELDS
from engine.language.kinds import ANYTHING, BOOLEAN, LIST, NUMBER, OBJECT, TEXT, Kinds, Shape, Shapes
from engine.problem import Problem, closest
from engine.schema.value_type import ScalarType, ValueType

Types = Mapping[str, ValueType | None]  # of the fields of events by name, as far as they are known

PROPERTIES: Final = ("event", "properties")

_KINDS: Final[Mapping[ScalarType, Kinds]] = {
    "STRING": TEXT,
    "DATE": TEXT,
    "TIMESTAMP": TEXT,
    "LONG": NUMBER,
    "DOUBLE": NUMBER,
    "BOOLEAN": BOOLEAN,
}


def declared_for(events: Sequence[str], declared: Mapping[str, Mapping[str, ValueType]]) -> Types:
    """Return the declared fields of events of some types; none unless all these types are declared.

    `declared` are the fields by the type of events. The value types of those that not all types of events declare
    alike are None.
    """
    if not all(type in declared for type in events):
        return {}
    of_all = [declared[type] for type in events]
    names = {name: fields[name] for fields in of_all for name in fields}
    return {name: type if all(each.get(name) == type for each in of_all) else None for name, type in names.items()}


def similar_fields(fields: Types, wiring: Wiring, trigger: Trigger) -> Iterator[Problem]:
    """Yield a warning for each read of a property that is not declared, nor set by the flow, while a similar one is."""
    if not fields:
        return
    written = [path for writes in wiring.writes.values() for _, path in writes]
    known = {*fields, *[path[2] for path in written if path[:2] == PROPERTIES and len(path) > 2]}
    for at, read in (*wiring.trigger_reads, *[one for reads in wiring.reads.values() for one in reads]):
        if read.path[:2] != PROPERTIES or len(read.path) < 3 or read.path[2] in known:
            continue
        near = closest(read.path[2], fields)
        if near is not None:
            files = " and ".join(f"`{type}`" for type in trigger.events)
            yield Problem(
                code="H128",
                message=f"the schema of {files} declares no field `{read.path[2]}`",
                offset=read.offset,
                length=read.length,
                help=f"did you mean `{near}`? If not, declare `{read.path[2]}` in schemas/",
                severity="warning",
            ).below(at)


def with_types(shapes: Shapes, types: Types) -> Shapes:
    """Return the fields of the roots, with what is known of the event's properties."""
    properties = Shape(OBJECT, {name: _shape(type) for name, type in types.items()})
    event = FIELDS["event"]
    return {**shapes, "event": structs.replace(event, fields={**(event.fields or {}), "properties": properties})}


def _shape(type: ValueType | None) -> Shape:
    """Return the shape of a field. It may be null as well, with which nothing can be compared."""
    if type is None:
        return ANYTHING
    kinds = LIST if type.container == "ARRAY" else OBJECT if type.container == "MAP" else _KINDS[type.scalar]
    return Shape(kinds)
