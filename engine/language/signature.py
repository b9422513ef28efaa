"""What the table of functions says of each one, and how a function says no."""

from collections.abc import Callable
from inspect import Parameter, getdoc, signature
from typing import Any

from msgspec import Struct

from engine.language.absent import Unfit
from engine.language.operators import LISTS, is_number, kind_of


class Function(Struct, frozen=True):
    """A filter (`value | name(...)`) or a function (`name(...)`). Pure, and bounded in time and size."""

    name: str
    call: Callable[..., Any]
    piped: bool
    least: int  # arguments in the brackets
    most: int | None
    usage: str  # e.g. `value | replace(old, new)`
    text: str  # documentation: the docstring of `call`
    prepare: Callable[[str], Any] | None = None  # the one argument is a literal text, prepared at load; ValueError
    derives: bool = False  # `call` takes literal texts and gives a `derived.Derived`; ValueError


def described(
    name: str,
    call: Callable[..., Any],
    *,
    piped: bool,
    prepare: Callable[[str], Any] | None = None,
    derives: bool = False,
) -> Function:
    """The table's entry for `call`: its signature and docstring are its documentation."""
    parameters = list(signature(call).parameters.values())[1 if piped else 0 :]
    named = [p for p in parameters if p.kind is not Parameter.VAR_POSITIONAL]
    least = sum(p.default is Parameter.empty for p in named)
    shown = [p.name if p.default is Parameter.empty else f"{p.name}={_literal(p.default)}" for p in named]
    shown += ["..."] if len(named) < len(parameters) else []
    brackets = f"({', '.join(shown)})" if shown or not piped else ""
    return Function(
        name=name,
        call=call,
        piped=piped,
        least=least,
        most=len(named) if len(named) == len(parameters) else None,
        usage=f"value | {name}{brackets}" if piped else f"{name}{brackets}",
        text=getdoc(call) or "",
        prepare=prepare,
        derives=derives,
    )


def _literal(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)


def need_text(value: Any, name: str) -> str:
    """`value` if it is text; else it does not fit the function `name`."""
    if isinstance(value, str):
        return value
    raise Unfit(f"`{name}` needs text, not {kind_of(value)}")


def need_number(value: Any, name: str) -> int | float:
    """`value` if it is a number."""
    if is_number(value):
        number: int | float = value
        return number
    raise Unfit(f"`{name}` needs a number, not {kind_of(value)}")


def need_whole(value: Any, name: str) -> int:
    """`value` if it is a whole number."""
    if type(value) is int:
        return value
    raise Unfit(f"`{name}` needs a whole number, not {kind_of(value) if type(value) is not float else value}")


def need_list(value: Any, name: str) -> list[Any] | tuple[Any, ...]:
    """`value` if it is a list."""
    if isinstance(value, LISTS):
        return value
    raise Unfit(f"`{name}` needs a list, not {kind_of(value)}")


def need_object(value: Any, name: str) -> dict[str, Any]:
    """`value` if it is an object."""
    if isinstance(value, dict):
        return value
    raise Unfit(f"`{name}` needs an object, not {kind_of(value)}")
