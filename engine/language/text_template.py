"""Templates of longer texts, such as messages: Jinja2 in a sandbox, in which data is never more than data.

The author's template is trusted, the values in it are not. A template has outputs, `if`, `for`, `set`, `with` and
nothing else, by an allow-list. It reads members of objects and items of lists, never an attribute or method of a value.
It has the filters, functions and operators of expressions, so each of them is bounded. What data can make long is
bounded, too: the turns of all loops together, what is read in them, and the text. A value that is absent or null cannot
be written.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Final

from jinja2 import ChainableUndefined, Template, TemplateError, TemplateSyntaxError, nodes, pass_context
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from msgspec import Struct

from engine.language.absent import ABSENT, Absent, Unfit, Unusable
from engine.language.functions import FILTERS, FUNCTIONS
from engine.language.operators import ARITHMETIC, LISTS, TEXT_CAP, as_text, kind_of
from engine.language.signature import Function

MAX_TURNS: Final = 10_000  # of all loops of a template together
MAX_READ: Final = 2_000_000  # characters of texts, and items, that its filters, functions and comparisons read together
TURNS: Final = "__turns__"  # the names in a rendering of what counts its turns and its reading, and of the time zone
READ: Final = "__read__"
ZONE: Final = "__zone__"
_READING: Final = ("in", "notin", "eq", "ne")  # comparisons that may read all of a text or list
_OF_HTML: Final = ("e", "escape", "safe")  # filters of Jinja2 that stay
_ALLOWED: Final = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.With, nodes.Name,
    nodes.Const, nodes.List, nodes.Dict, nodes.Pair, nodes.Tuple, nodes.Getattr, nodes.Getitem, nodes.Slice,
    nodes.Filter, nodes.Test, nodes.Call, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.Concat, nodes.And,
    nodes.Or, nodes.Not, nodes.Neg, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow,
)  # fmt: skip


class TemplateDefect(Exception):
    """A template that cannot be used: the reason, and the number of the line (from 1)."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


class TextTemplate(Struct, frozen=True):
    """A compiled template, and the names that it reads."""

    template: Template
    reads: frozenset[str]

    def render(self, values: Mapping[str, Any], timezone: str = "UTC") -> str:
        """Return the text. Raises `Unusable` for values that do not fit, and beyond a limit."""
        turns = _Turns()
        size, parts = 0, []
        try:
            for part in self.template.generate({**values, TURNS: turns.of, READ: turns.read, ZONE: timezone}):
                parts.append(part)
                size += len(part)
                if size > TEXT_CAP:
                    raise Unfit(f"the text is longer than {TEXT_CAP:,} characters")
        except Unusable:
            raise
        except (TemplateError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise Unfit(f"the template cannot be filled: {str(error)[:200]}") from None
        return "".join(parts)


@lru_cache(maxsize=256)
def compile_text_template(text: str, *, html: bool) -> TextTemplate:
    """Return a compiled template; with `html`, values are escaped. Raises `TemplateDefect`."""
    environment = _environment(html)
    try:
        tree = environment.parse(text)
        _check(tree)
        reads = frozenset(find_undeclared_variables(tree))
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Call(nodes.Name(TURNS, "load"), [loop.iter], [], None, None, lineno=loop.lineno)
        for operand in [each for each in tree.find_all(nodes.Operand) if each.op in _READING]:
            operand.expr = nodes.Call(nodes.Name(READ, "load"), [operand.expr], [], None, None, lineno=operand.lineno)
        tree.set_environment(environment)
        code = environment.compile(tree)
        return TextTemplate(Template.from_code(environment, code, environment.make_globals(None)), reads)
    except TemplateSyntaxError as error:
        raise TemplateDefect(error.message or "it cannot be read", error.lineno) from None
    except RecursionError:
        raise TemplateDefect("it nests too deep", 1) from None


def _check(tree: nodes.Node) -> None:
    """Refuse what is not part of the language of templates. Raises `TemplateDefect`."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if not isinstance(node, _ALLOWED) or (isinstance(node, nodes.For) and node.recursive):
            name = "recursive" if isinstance(node, nodes.For) else type(node).__name__.lower()
            raise TemplateDefect(f"templates have no `{name}`, only `if`, `for`, `set` and `with`", node.lineno or 1)
        if isinstance(node, nodes.Name) and node.name.startswith("__"):
            raise TemplateDefect(f"nothing is called `{node.name}`", node.lineno)
        todo += node.iter_child_nodes()


class _Turns:
    """Counts the turns of all loops of one rendering, and what is read in them."""

    def __init__(self) -> None:
        self.left = MAX_TURNS
        self.unread = MAX_READ

    def of(self, items: Any) -> Iterator[Any]:
        """Yield the items of a list, or the keys of an object. Raises `Unusable`."""
        if isinstance(items, Undefined):
            raise _absence(items)
        if not isinstance(items, (*LISTS, dict, range)):
            raise Unfit(f"a loop needs a list, not {kind_of(items)}")
        for item in items:
            self.left -= 1
            if self.left < 0:
                raise Unfit(f"the loops of a template have at most {MAX_TURNS:,} turns together")
            yield item

    def read(self, value: Any) -> Any:
        """Return a value, and count its characters or items. Raises `Unfit` beyond the limit."""
        if isinstance(value, (str, *LISTS, dict)):
            self.unread -= len(value)
            if self.unread < 0:
                raise Unfit(f"the filters of a template read at most {MAX_READ:,} characters and items together")
        return value


class _Missing(ChainableUndefined):
    """An absent value: false, and without members; writing it fails."""

    __slots__ = ()

    def __str__(self) -> str:
        raise _absence(self)

    def __html__(self) -> str:
        raise _absence(self)

    @property
    def path(self) -> str:
        """The name that the author wrote for it, as far as it is known."""
        return str(self._undefined_name or "a value")


def _absence(missing: Undefined) -> Absent:
    return Absent(missing.path if isinstance(missing, _Missing) else "a value")


class _Environment(ImmutableSandboxedEnvironment):
    """The sandbox: values have members and items only, operators are those of expressions."""

    intercepted_binops = frozenset({*ARITHMETIC, "**"})

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict):
            return obj[attribute] if attribute in obj else self.undefined(name=attribute)
        if isinstance(obj, LoopContext) and not attribute.startswith("_"):
            return super().getattr(obj, attribute)
        return obj if isinstance(obj, Undefined) else self.undefined(name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, dict):
            return (
                obj[argument] if isinstance(argument, str) and argument in obj else self.undefined(name=str(argument))
            )
        if isinstance(obj, LISTS) and isinstance(argument, slice):
            return obj[argument]
        if isinstance(obj, LISTS) and type(argument) is int and -len(obj) <= argument < len(obj):
            return obj[argument]
        return obj if isinstance(obj, Undefined) else self.undefined(name=str(argument)[:40])

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        for value in (left, right):
            if isinstance(value, Undefined):
                raise _absence(value)
        return FUNCTIONS["pow"].call(left, right) if operator == "**" else ARITHMETIC[operator](left, right)


@cache
def _environment(html: bool) -> _Environment:
    environment = _Environment(
        autoescape=html, undefined=_Missing, finalize=_written, trim_blocks=True, lstrip_blocks=True, cache_size=0
    )
    kept = {name: environment.filters[name] for name in _OF_HTML}
    ours = [each for each in FILTERS.values() if not each.hidden]
    environment.filters = {
        **kept,
        **{each.name: _bounded(each, environment) for each in ours},
    }
    environment.filters["default"] = environment.filters["d"] = _default
    environment.globals = {
        name: _bounded(each, environment) for name, each in FUNCTIONS.items() if not each.derives and not each.hidden
    }
    environment.globals["range"] = _range
    return environment


def _range(*bounds: Any) -> range:
    if not all(type(bound) is int for bound in bounds):
        raise Unfit("`range` needs whole numbers")
    return range(*bounds)


def _default(value: Any, fallback: Any) -> Any:
    return fallback if isinstance(value, Undefined) or value is None else value


def _written(value: Any) -> Any:
    """Return a value as it is written into the text. Raises `Unusable`."""
    if isinstance(value, str):
        return value
    if value is None:
        raise Unfit("a value of the template is null: write `| default('')`")
    if isinstance(value, Undefined):
        raise _absence(value)
    return as_text(value)


def _bounded(function: Function, environment: _Environment) -> Callable[..., Any]:
    """Return a filter or function of expressions, as templates call it."""

    @pass_context
    def call(context: Context, *arguments: Any) -> Any:
        read = context[READ]
        for argument in arguments:
            if isinstance(argument, Undefined):
                raise _absence(argument)
            if argument is None:
                raise Unfit(f"`{function.name}` cannot use null")
            read(argument)
        values, at = list(arguments), int(function.piped)
        _check_number(function, len(values) - at)
        if function.zoned and len(values) - at != function.max_arguments:
            values.append(context.get(ZONE, ABSENT))
        if function.prepare is not None:
            values[at] = _prepared(function, values[at])
        result = function.call(*values)
        return environment.undefined(name=function.name) if result is ABSENT else result

    return call


def _check_number(function: Function, count: int) -> None:
    most = function.max_arguments
    if count < function.min_arguments or (most is not None and count > most):
        raise Unfit(f"write `{function.usage}`")


@lru_cache(maxsize=256)
def _prepared(function: Function, pattern: Any) -> Any:
    assert function.prepare is not None  # noqa: S101  # the caller has checked it
    return function.prepare(pattern if isinstance(pattern, str) else as_text(pattern))
