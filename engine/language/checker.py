"""Jinja's tree -> our tree, by an allow-list: every node that is not listed here is refused, with its position."""

import re
from collections.abc import Callable
from typing import Any, ClassVar, Literal, cast

from jinja2 import nodes

from engine.language import hints
from engine.language.foreign_calls import remedy_for_call
from engine.language.functions import FILTERS, FUNCTIONS
from engine.language.hidden import HASH_KEYS
from engine.language.moment import zone_remedy
from engine.language.parser import Parsed
from engine.language.path import ROOTS, show_path
from engine.language.refusal import (
    BAD_PATH,
    BAD_PATTERN,
    NOT_ALLOWED,
    SYNTAX,
    TOO_LARGE,
    UNKNOWN_FUNCTION,
    UNKNOWN_ROOT,
    Span,
    refusal,
    written,
)
from engine.language.signature import Function
from engine.language.strange_characters import foreign_letter, name_of
from engine.language.tree import (
    Arithmetic,
    Call,
    Choice,
    Comparison,
    Constant,
    Default,
    Derivation,
    Entries,
    Every,
    Items,
    Joined,
    Lookup,
    Negation,
    Path,
    Presence,
    Some,
    Tree,
)
from engine.language.zone import find_zone
from engine.problem import ProblemError, did_you_mean

DEPTH_CAP = 50  # levels of nested parts
_HYPHENATED = re.compile(r"\w+(?:-\w+)+")
_SIGNS = {nodes.Add: "+", nodes.Sub: "-", nodes.Mul: "*", nodes.Div: "/", nodes.FloorDiv: "//", nodes.Mod: "%"}
_UNDIVIDED = (nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Const, nodes.Filter, nodes.Call, nodes.List, nodes.Dict)
_ALL_FUNCTIONS = f"there are {', '.join(f'`{name}`' for name in sorted(FUNCTIONS))}"
_NO_NONE = "write `is none` (absent or null) or `is not defined` (absent)"


def check(parsed: Parsed, roots: frozenset[str]) -> Tree:
    """Return the tree of an expression that may read `roots`. Raises `ProblemError`."""
    return _Checker(parsed, roots).check(parsed.top)


class _Checker:
    def __init__(self, parsed: Parsed, roots: frozenset[str]) -> None:
        self.text = parsed.text
        self.span = parsed.span
        self.roots = roots
        self.depth = 0

    def check(self, node: nodes.Node) -> Tree:
        self.depth += 1
        if self.depth > DEPTH_CAP:
            raise refusal(TOO_LARGE, f"the expression nests more than {DEPTH_CAP} deep", self.span(node))
        check = self._CHECKS.get(type(node))
        if check is None:
            raise refusal(NOT_ALLOWED, "this is not part of the language", self.span(node))
        tree = check(self, node)
        self.depth -= 1
        return tree

    def _constant(self, node: nodes.Const) -> Tree:
        return Constant(self.span(node), node.value)

    def _list(self, node: nodes.List) -> Tree:
        parts = tuple(self.check(item) for item in node.items)
        if all(isinstance(part, Constant) for part in parts):
            return Constant(self.span(node), [cast(Constant, part).value for part in parts])
        return Items(self.span(node), parts)

    def _entries(self, node: nodes.Dict) -> Tree:
        pairs = []
        for pair in node.items:
            if not isinstance(pair.key, nodes.Const) or not isinstance(pair.key.value, str):
                raise refusal(
                    NOT_ALLOWED, "keys of an object are quoted text", self.span(pair.key), "write {'key': ...}"
                )
            pairs.append((pair.key.value, self.check(pair.value)))
        return Entries(self.span(node), tuple(pairs))

    # Paths

    def _name(self, node: nodes.Name) -> Tree:
        if node.name in self.roots:
            return Path(self.span(node), (node.name,))
        raise self._unknown_root(node)

    def _unknown_root(self, node: nodes.Name) -> ProblemError:
        name, at = node.name, self.span(node)
        if name in ROOTS:
            return refusal(UNKNOWN_ROOT, f"`{name}` is not known here", at, did_you_mean("", self.roots))
        if name in FUNCTIONS or name in FILTERS:
            usage = FUNCTIONS.get(name, FILTERS.get(name))
            return refusal(UNKNOWN_ROOT, f"`{name}` is a function", at, f"write `{cast(Function, usage).usage}`")
        remedy = hints.NO_ROOTS.get(name) or hints.WORDS.get(name)
        if remedy is not None and "`event." in remedy and "event" not in self.roots:
            remedy = None
        strange = foreign_letter(name)
        if strange:
            remedy = f"its {name_of(strange)} looks like another letter; {did_you_mean('', self.roots)}"
        if remedy is None:
            remedy = did_you_mean(name, self.roots)
            if not remedy.startswith("did") and self.text[at[1] : at[1] + 1] not in {".", "["}:
                remedy = f"text needs quotes: '{name}'; {remedy}"
        return refusal(UNKNOWN_ROOT, f"nothing is called `{name}`", at, remedy)

    def _attribute(self, node: nodes.Getattr) -> Tree:
        of = self.check(node.node)
        return self._below(of, node.attr, self.span(node))

    def _subscript(self, node: nodes.Getitem) -> Tree:
        if isinstance(node.arg, nodes.Slice):
            start, end = node.arg.start, node.arg.stop
            bounds = [
                self._source(start) if start is not None else "0",
                *([self._source(end)] if end is not None else []),
            ]
            help = f"write `{self._source(node.node)} | slice({', '.join(bounds)})`"
            raise refusal(NOT_ALLOWED, "there are no slices", self.span(node), help)
        if isinstance(node.arg, nodes.Tuple):
            raise refusal(BAD_PATH, "brackets take one key or index", self.span(node))
        of, key, at = self.check(node.node), self.check(node.arg), self.span(node)
        if not isinstance(key, Constant):
            return Lookup(at, of, key)
        if isinstance(key.value, str) or type(key.value) is int:
            return self._below(of, key.value, at)
        raise refusal(BAD_PATH, "brackets take a text (a key) or a whole number (an index)", self.span(node.arg))

    def _below(self, of: Tree, key: str | int, at: Span) -> Tree:
        if isinstance(of, Path):
            return Path(at, (*of.path, key))
        return Lookup(at, of, Constant(at, key))

    # Operators

    def _arithmetic(self, node: nodes.BinExpr) -> Tree:
        sign = _SIGNS[type(node)]
        if sign == "-":
            self._check_hyphen(node)
        return Arithmetic(self.span(node), sign, self.check(node.left), self.check(node.right))

    def _check_hyphen(self, node: nodes.BinExpr) -> None:
        """Refuse a subtraction such as `nodes.big-spender.out` whose right side is no value, and explain the hyphen."""
        right: nodes.Node | None = node.right
        while isinstance(right, nodes.Getattr | nodes.Getitem | nodes.Filter | nodes.Call):
            right = right.node
        end = self.span(node.left)[1]
        touching = self.text[end : self.span(node.right)[0]] == "-"
        unknown = isinstance(right, nodes.Name) and right.name not in self.roots
        if not (touching and unknown and isinstance(node.left, nodes.Getattr)):
            return
        match = _HYPHENATED.match(self.text, end - len(node.left.attr))
        left = self.check(node.left.node)
        if match is None or not isinstance(left, Path):
            return
        raise refusal(
            UNKNOWN_ROOT,
            f"the hyphen in `{match[0]}` is a minus here",
            match.span(),
            f"write a name with a hyphen in quoted brackets: `{show_path(left.path)}['{match[0]}']`",
        )

    def _negative(self, node: nodes.Neg) -> Tree:
        of = self.check(node.node)
        if isinstance(of, Constant) and type(of.value) in (int, float):
            return Constant(self.span(node), -of.value)
        return Arithmetic(self.span(node), "-", Constant(self.span(node), 0), of)

    def _positive(self, node: nodes.Pos) -> Tree:
        raise refusal(NOT_ALLOWED, "a plus sign needs something before it", self.span(node), "leave it out")

    def _joined(self, node: nodes.Concat) -> Tree:
        return Joined(self.span(node), tuple(self.check(part) for part in node.nodes))

    def _comparison(self, node: nodes.Compare) -> Tree:
        first = self.check(node.expr)
        rest = tuple((operand.op, self.check(operand.expr)) for operand in node.ops)
        for part in (first, *(operand for _, operand in rest)):
            if isinstance(part, Constant) and part.value is None:
                raise refusal(NOT_ALLOWED, "nothing equals `none`", part.at, _NO_NONE)
        return Comparison(self.span(node), first, rest)

    def _logic(self, node: nodes.And | nodes.Or) -> Tree:
        parts: list[Tree] = []
        todo: list[nodes.Expr] = [node]
        while todo:  # `a and b and c` is one part of three, however long
            part = todo.pop()
            if type(part) is type(node):
                todo += [part.right, part.left]
            else:
                parts.append(self.check(part))
        kind = Every if isinstance(node, nodes.And) else Some
        return kind(self.span(node), tuple(parts))

    def _negation(self, node: nodes.Not) -> Tree:
        return Negation(self.span(node), self.check(node.node))

    def _choice(self, node: nodes.CondExpr) -> Tree:
        if node.expr2 is None:
            help = f"write `{written(self.text, self.span(node))} else ''`"
            raise refusal(SYNTAX, "this `if` has no `else`", self.span(node), help)
        return Choice(self.span(node), self.check(node.test), self.check(node.expr1), self.check(node.expr2))

    # Tests, filters and functions

    def _presence(self, node: nodes.Test) -> Tree:
        test: Literal["defined", "none"] = "defined" if node.name == "defined" else "none"  # the parser knows no other
        return Presence(self.span(node), self.check(node.node), test)

    def _filter(self, node: nodes.Filter) -> Tree:
        at = (node.lineno, node.lineno + len(node.name))
        function = FILTERS.get(node.name)
        if function is None:
            known = hints.FILTERS.get(node.name)
            remedy = f"did you mean `{known}`?" if known else self._remedy(node.name, node.node, *node.args)
            remedy = remedy or did_you_mean(node.name, FILTERS)
            raise refusal(UNKNOWN_FUNCTION, f"there is no filter `{node.name}`", at, remedy)
        if node.node is None:
            raise refusal(SYNTAX, "a filter needs a value before it", at)
        return self._call(function, node, at, self.check(node.node))

    def _function(self, node: nodes.Call) -> Tree:
        if isinstance(node.node, nodes.Getattr):
            raise self._method(node.node, node.args)
        if not isinstance(node.node, nodes.Name):
            raise refusal(NOT_ALLOWED, "only functions can be called", self.span(node))
        name, at = node.node.name, self.span(node.node)
        if name in FUNCTIONS:
            return self._call(FUNCTIONS[name], node, at)
        remedy = self._remedy(name, *node.args) or did_you_mean(name, FUNCTIONS) or _ALL_FUNCTIONS
        raise refusal(UNKNOWN_FUNCTION, f"there is no function `{name}`", at, remedy)

    def _method(self, node: nodes.Getattr, arguments: list[nodes.Expr]) -> ProblemError:
        at = (self.span(node)[1] - len(node.attr), self.span(node)[1])
        message = f"values have no methods such as `{node.attr}`"
        of = node.node
        if isinstance(of, nodes.Name) and of.name not in self.roots:  # `Math.round(x)`: a function of a module
            remedy = self._remedy(f"{of.name}.{node.attr}", *arguments) or self._remedy(node.attr, *arguments)
        elif node.attr == "get" and arguments:
            remedy = self._got(of, arguments)
        else:
            remedy = self._remedy(node.attr, of, *arguments)
        return refusal(NOT_ALLOWED, message, at, remedy)

    def _got(self, of: nodes.Node, arguments: list[nodes.Expr]) -> str:
        """Return the remedy for `of.get(key)` and `of.get(key, fallback)`."""
        key, *fallback = arguments
        named = isinstance(key, nodes.Const) and isinstance(key.value, str) and key.value.isidentifier()
        got = f"{self._source(of)}.{key.value}" if named else f"{self._source(of)}[{self._source(key)}]"  # type: ignore[attr-defined]
        return f"write `{got} | default({self._source(fallback[0])})`" if fallback else f"write `{got}`"

    def _remedy(self, name: str, *arguments: nodes.Node | None) -> str:
        return remedy_for_call(name, [self._source(argument) for argument in arguments if argument is not None])

    def _source(self, node: nodes.Node) -> str:
        """Return the text of a part, in brackets when an operator before or behind it could divide it."""
        source = written(self.text, self.span(node))
        return source if isinstance(node, _UNDIVIDED) else f"({source})"

    def _in_scope(self, hidden: str) -> bool:
        """Return whether the scope has a hidden entry: that of a node has all, and that of a mapping the hash keys."""
        return "nodes" in self.roots or (hidden == HASH_KEYS and "profile" not in self.roots)

    def _call(self, function: Function, node: nodes.Filter | nodes.Call, at: Span, *piped: Tree) -> Tree:
        unnamed = node.dyn_args or node.dyn_kwargs
        if unnamed is not None:
            raise refusal(NOT_ALLOWED, "`*` and `**` arguments are not allowed", self.span(unnamed))
        count = len(node.args)
        most = function.max_arguments
        self._check_date_pattern(function, node)
        if count < function.min_arguments or (most is not None and count > most):
            message = f"`{function.name}` takes {_arguments(function)}, not {count}"
            raise refusal(UNKNOWN_FUNCTION, message, at, f"write `{self._usage(function, node)}`")
        where = self.span(node)
        if function.hidden and not self._in_scope(function.hidden):
            help = "use it in a node, e.g. in a `let`, and decide there"
            raise refusal(UNKNOWN_FUNCTION, f"there is no `{function.name}` here", at, help)
        if function.derives:
            return self._derived(function, node)
        prepared, rest = None, list(node.args)
        if function.prepare is not None:
            prepared = self._prepared(function, rest.pop(0))
        arguments = (*piped, *(self.check(argument) for argument in rest))
        if function.name == "default":
            return Default(where, *arguments)
        if function.zoned and count == most:
            self._check_zone(arguments[-1])
        return Call(where, function, arguments, prepared, function.zoned and count != most)

    def _check_zone(self, zone: Tree) -> None:
        """Refuse a literal that names no time zone."""
        if not isinstance(zone, Constant):
            return
        if not isinstance(zone.value, str) or find_zone(zone.value) is None:
            message = f"`{zone.value}` is not a time zone"
            raise refusal(BAD_PATTERN, message, zone.at, zone_remedy(str(zone.value)))

    def _usage(self, function: Function, node: nodes.Filter | nodes.Call) -> str:
        """Return a call without the arguments that are too many; the form of the function when some are missing."""
        most = function.max_arguments
        if most is None or len(node.args) <= most or not isinstance(node, nodes.Filter) or node.node is None:
            return function.usage
        kept = ", ".join(self._source(argument) for argument in node.args[:most])
        return f"{self._source(node.node)} | {function.name}{f'({kept})' if kept else ''}"

    def _check_date_pattern(self, function: Function, node: nodes.Filter | nodes.Call) -> None:
        """Refuse `date('%Y')`, which formats a time in other languages."""
        pattern = next((p for p in node.args if isinstance(p, nodes.Const) and "%" in str(p.value)), None)
        if function.name == "date" and pattern is not None and isinstance(node, nodes.Filter) and node.node is not None:
            remedy = f"write `{self._source(node.node)} | date | format_date({self._source(pattern)})`"
            raise refusal(UNKNOWN_FUNCTION, "`date` reads a time, it formats none", self.span(pattern), remedy)

    def _prepared(self, function: Function, node: nodes.Expr) -> Any:
        if not isinstance(node, nodes.Const) or not isinstance(node.value, str):
            noun = "name of the key" if function.hidden else "pattern"
            raise refusal(BAD_PATTERN, f"the {noun} of `{function.name}` is a quoted text", self.span(node))
        try:
            return cast(Callable[[str], Any], function.prepare)(node.value)
        except ValueError as error:
            help = "a pattern is a regular expression: `.*` stands for any text" if node.value[:1] in {"*", "?"} else ""
            raise refusal(BAD_PATTERN, str(error), self.span(node), help) from None

    def _derived(self, function: Function, node: nodes.Filter | nodes.Call) -> Tree:
        if "profile" not in self.roots:
            raise refusal(
                UNKNOWN_ROOT, f"`{function.name}` reads the profile, which is not known here", self.span(node)
            )
        texts = []
        for argument in node.args:
            if not isinstance(argument, nodes.Const) or not isinstance(argument.value, str):
                message = f"`{function.name}` takes only quoted text, no computed values"
                raise refusal(BAD_PATTERN, message, self.span(argument), f"write `{function.usage}`")
            texts.append(argument.value)
        try:
            return Derivation(self.span(node), function.name, function.call(*texts))
        except ValueError as error:
            raise refusal(BAD_PATTERN, str(error), self.span(node)) from None

    def _tuple(self, node: nodes.Tuple) -> Tree:
        items = ", ".join(self._source(item) for item in node.items)
        raise refusal(NOT_ALLOWED, "a list is written in square brackets", self.span(node), f"write `[{items}]`")

    _CHECKS: ClassVar[dict[type[nodes.Node], Callable[["_Checker", Any], Tree]]] = {
        nodes.Const: _constant,
        nodes.List: _list,
        nodes.Tuple: _tuple,
        nodes.Dict: _entries,
        nodes.Name: _name,
        nodes.Getattr: _attribute,
        nodes.Getitem: _subscript,
        **dict.fromkeys(_SIGNS, _arithmetic),
        nodes.Neg: _negative,
        nodes.Pos: _positive,
        nodes.Concat: _joined,
        nodes.Compare: _comparison,
        nodes.And: _logic,
        nodes.Or: _logic,
        nodes.Not: _negation,
        nodes.CondExpr: _choice,
        nodes.Test: _presence,
        nodes.Filter: _filter,
        nodes.Call: _function,
    }


def _arguments(function: Function) -> str:
    least, most = function.min_arguments, function.max_arguments
    if most is None:
        return f"at least {least} arguments"
    if least != most:
        return f"{least} to {most} arguments"
    return f"{least} argument{'s' * (least != 1)}"
