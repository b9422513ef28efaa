"""The entries of the table of functions, and checks of arguments for the functions themselves."""

import math
from collections.abc import Callable
from functools import partial
from inspect import Parameter, getdoc, signature
from typing import Any

from msgspec import Struct

from engine.language.absent import ABSENT, Unfit
from engine.language.hidden import DRAW
from engine.language.operators import LISTS, is_number, kind_of


class Function(Struct, frozen=True):
    """A filter (`value | name(...)`) or a function (`name(...)`). Pure, and bounded in time and size."""

    name: str
    call: Callable[..., Any]
    piped: bool
    min_arguments: int  # in the brackets
    max_arguments: int | None  # None is any number
    usage: str  # e.g. `value | replace(old, new)`
    text: str  # documentation: the docstring of `call`
    prepare: Callable[[str], Any] | None = None  # makes a value of the first argument, a literal text; ValueError
    derives: bool = False  # `call` takes literal texts and returns a `derived.Derived`; raises ValueError
    zoned: bool = False  # the last argument is a time zone, by default that of the project
    any_kind: bool = False  # the kind of a result does not follow from those of the arguments
    hidden: str = ""  # the entry of the scope that is the first argument, which no author writes
    sample: Any = None  # a value of that argument, for checks

    @property
    def draws(self) -> bool:
        """Whether the result depends on chance."""
        return self.hidden == DRAW


def function(
    name: str,
    call: Callable[..., Any],
    *,
    piped: bool,
    prepare: Callable[[str], Any] | None = None,
    derives: bool = False,
    zoned: bool = False,
    any_kind: bool = False,
    hidden: str = "",
    sample: Any = None,
) -> Function:
    """Return the table's entry for `call`, whose signature and docstring are its documentation."""
    parameters = list(signature(call).parameters.values())[int(piped) + bool(hidden) :]
    named = [p for p in parameters if p.kind is not Parameter.VAR_POSITIONAL]
    required = sum(p.default is Parameter.empty for p in named)
    texts = [p.name if p.default is Parameter.empty else f"{p.name}={_literal(p.default)}" for p in named]
    texts += ["..."] if len(named) < len(parameters) else []
    brackets = f"({', '.join(texts)})" if texts or not piped else ""
    return Function(
        name=name,
        call=call,
        piped=piped,
        min_arguments=required,
        max_arguments=len(named) if len(named) == len(parameters) else None,
        usage=f"value | {name}{brackets}" if piped else f"{name}{brackets}",
        text=getdoc(call) or "",
        prepare=prepare,
        derives=derives,
        zoned=zoned,
        any_kind=any_kind,
        hidden=hidden,
        sample=sample,
    )


def prepared_last(function: Function) -> Callable[..., Any]:
    """Return the function's `call` as `choices_of` needs it: the prepared argument last, a sample of the hidden one."""
    call, at = function.call, int(function.piped)
    if function.hidden:
        call = partial(call, function.sample)
    if function.prepare is None:
        return call
    return lambda *values: call(*values[:at], values[-1], *values[at:-1])


def _literal(value: Any) -> str:
    if value is ABSENT:
        return "timezone"  # the project's
    if value == math.e:
        return "e"
    return f"'{value}'" if isinstance(value, str) else str(value)


def need_text(value: Any, name: str) -> str:
    """Return `value` if it is text; else raise `Unfit`, naming the function `name`."""
    if isinstance(value, str):
        return value
    raise Unfit(f"`{name}` needs text, not {kind_of(value)}")


def need_number(value: Any, name: str) -> int | float:
    """Return `value` if it is a number; else raise `Unfit`."""
    if is_number(value):
        number: int | float = value
        return number
    raise Unfit(f"`{name}` needs a number, not {kind_of(value)}")


def need_whole(value: Any, name: str) -> int:
    """Return `value` if it is a whole number; else raise `Unfit`."""
    if type(value) is int:
        return value
    raise Unfit(f"`{name}` needs a whole number, not {kind_of(value) if type(value) is not float else value}")


def need_list(value: Any, name: str) -> list[Any] | tuple[Any, ...]:
    """Return `value` if it is a list; else raise `Unfit`."""
    if isinstance(value, LISTS):
        return value
    raise Unfit(f"`{name}` needs a list, not {kind_of(value)}")


def need_object(value: Any, name: str) -> dict[str, Any]:
    """Return `value` if it is an object; else raise `Unfit`."""
    if isinstance(value, dict):
        return value
    raise Unfit(f"`{name}` needs an object, not {kind_of(value)}")
