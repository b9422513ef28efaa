"""Mappings: how an author makes events of something else, a webhook's request or a row of an imported file."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from engine.language.absent import Absent, Unfit
from engine.language.expression import Condition
from engine.language.path import Scope
from engine.language.value import Value

IDS: Final = ("visitor", "user", "previous", "session")  # an absent or empty one says nothing


class MappedEvent(Struct, frozen=True, kw_only=True):
    """An event as a mapping makes it. Ids are texts; whether they, the type and the time can be used is not decided."""

    type: str
    id: str | None = None
    time: Any = None
    visitor: str | None = None
    user: str | None = None
    previous: str | None = None  # an earlier id of the same user: an alias
    session: str | None = None
    properties: Mapping[str, Any] = {}
    context: Mapping[str, Any] = {}


class EventMapping:
    """Makes one event from a scope, or none where its condition does not hold.

    `values` are the compiled fields of `MappedEvent` that the author has written. An absent `type` or `id` makes the
    event unusable: an event whose id is missing would be counted twice when it is sent twice. Any other field may be
    absent; then the event is without it.
    """

    __slots__ = ("_values", "_when")

    def __init__(self, values: Mapping[str, Value], when: Condition | None = None) -> None:
        self._values = dict(values)
        self._when = when

    def event(self, scope: Scope) -> MappedEvent | None:
        """Return the event, or None. Raises `Unusable` when a value is missing or of the wrong kind."""
        if self._when is not None and not self._when.test(scope):
            return None
        type = as_text("type", self._values["type"].evaluate(scope))
        if type is None:
            raise Absent("type", "empty")
        ids = {name: as_text(name, self._evaluate(name, scope)) for name in IDS}
        id = as_text("id", self._values["id"].evaluate(scope)) if "id" in self._values else None
        return MappedEvent(
            type=type,
            id=id,
            time=self._evaluate("time", scope),
            properties=as_object("properties", self._evaluate("properties", scope)),
            context=as_object("context", self._evaluate("context", scope)),
            **ids,
        )

    def _evaluate(self, name: str, scope: Scope) -> Any:
        """Return a field's value; None if it is absent, or the author has not written it."""
        value = self._values.get(name)
        if value is None:
            return None
        try:
            return value.evaluate(scope)
        except Absent:
            return None


def as_text(name: str, value: Any) -> str | None:
    """Return a type or an id as text: a whole number with all of its digits. Raises `Unfit`."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise Unfit(f"`{name}` is a text or a whole number")


def as_object(name: str, value: Any) -> dict[str, Any]:
    """Return properties or context; none for null. Raises `Unfit`."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unfit(f"`{name}` is an object")
    return value
