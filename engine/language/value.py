"""Values: plain data of an author, in which texts may be templates or JSONPaths."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from engine.language.absent import Absent, Unusable
from engine.language.expression import Expression
from engine.language.fields import FIELDS
from engine.language.jsonpath import compile_jsonpath
from engine.language.kinds import A_LIST, A_TEXT, ANYTHING, OBJECT, Shape, kinds_of
from engine.language.operators import kind_of
from engine.language.path import ROOTS, Scope
from engine.language.readers import Evaluate
from engine.language.refusal import NO_TEMPLATES, TOO_LARGE
from engine.language.template import PartWriter, Piece, Source, has_template, join_pieces, single_expression, split
from engine.problem import KeyPath, Problem, ProblemError

DEPTH_CAP = 50  # levels of objects and lists


Sparseness = Literal["none", "some", "all"]  # how many entries of an object may be absent


class Value:
    """A compiled value. `evaluate` returns plain data that must not be changed in place, or raises `Unusable`.

    `literal` is the value if it is `static`, i.e. without templates and JSONPaths.
    """

    __slots__ = ("_sources", "evaluate", "expressions", "literal", "reads", "static")

    def __init__(self, literal: Any, evaluate: Evaluate | None, sources: list[tuple[KeyPath, Source]]) -> None:
        self.static = evaluate is None
        self.literal = literal if evaluate is None else None
        self.evaluate: Callable[[Scope], Any] = evaluate or (lambda scope: literal)
        self.reads = tuple((path, read) for path, source in sources for read in source.reads)
        self._sources = tuple(source for _, source in sources)
        self.expressions = tuple((path, source) for path, source in sources if isinstance(source, Expression))

    def source_values(self, scope: Scope) -> dict[str, Any]:
        """Return the values that were read, by the author's text; "absent" for an absent value. Never raises."""
        values: dict[str, Any] = {}
        for source in self._sources:
            try:
                source.note(scope, values)
            except Unusable:
                continue
        return values


def compile_value(
    data: Any,
    roots: frozenset[str] = ROOTS,
    *,
    templates: bool = True,
    parts: PartWriter | None = None,
    sparse: Sparseness = "none",
) -> tuple[Value, list[Problem]]:
    """Compile `data`; return the value and its problems. If there are any, the value must not be used.

    Text with `{{ }}` is a template, text that starts with `$.` a JSONPath, `$$.` a literal `$.`. With `parts` every
    computed part becomes a text, to which that function is applied. With `sparse` an object leaves out entries whose
    value is absent; if all are absent, evaluating it raises `Absent`, unless all may be absent.
    """
    build = _Build(roots, templates=templates, parts=parts, sparse=sparse)
    literal, evaluate = build.node(data, ())
    return Value(literal, evaluate, build.sources), build.problems


def shape_of(data: Any) -> Shape:
    """Return what is known of the result of `data` before any run. `data` may have errors."""
    if isinstance(data, dict):
        return Shape(OBJECT, {str(key): shape_of(inner) for key, inner in data.items()})
    if isinstance(data, list):
        return A_LIST
    if not isinstance(data, str):
        return Shape(frozenset({kind_of(data)}), {})
    if data.startswith("$."):
        return ANYTHING
    if not has_template(data):
        return A_TEXT
    try:
        single = single_expression(split(data, ROOTS))
    except ProblemError:
        return ANYTHING
    return A_TEXT if single is None else Shape(kinds_of(single.tree, FIELDS))


class _Build:
    """Walks the data once. Each part becomes (literal, None), or (unused, evaluate) if it is computed."""

    def __init__(self, roots: frozenset[str], *, templates: bool, parts: PartWriter | None, sparse: Sparseness) -> None:
        self.roots = roots
        self.templates = templates
        self.parts = parts
        self.sparse = sparse
        self.sources: list[tuple[KeyPath, Source]] = []
        self.problems: list[Problem] = []

    def node(self, data: Any, path: KeyPath) -> tuple[Any, Evaluate | None]:
        if len(path) > DEPTH_CAP:
            self._add_problem(Problem(code=TOO_LARGE, message=f"a value nests at most {DEPTH_CAP} deep"), path)
            return None, None
        if isinstance(data, str):
            return self._text(data, path)
        if isinstance(data, dict):
            return self._object(data, path)
        if isinstance(data, list):
            return self._list(data, path)
        return data, None

    def _object(self, data: dict[Any, Any], path: KeyPath) -> tuple[Any, Evaluate | None]:
        parts = {}
        for key, inner in data.items():
            if isinstance(key, str) and has_template(key):
                help = "only the values of a map may be templates"
                problem = Problem(code=NO_TEMPLATES, message="a key is never a template", on="key", help=help)
                self._add_problem(problem, (*path, key))
            parts[key] = self.node(inner, (*path, key))
        if all(evaluate is None for _, evaluate in parts.values()):
            return {key: literal for key, (literal, _) in parts.items()}, None
        pairs = [(key, _evaluate(*part)) for key, part in parts.items()]
        if self.sparse != "none" and not path:
            return None, lambda scope: _present(pairs, scope, may_be_empty=self.sparse == "all")
        return None, lambda scope: {key: evaluate(scope) for key, evaluate in pairs}

    def _list(self, data: list[Any], path: KeyPath) -> tuple[Any, Evaluate | None]:
        parts = [self.node(inner, (*path, index)) for index, inner in enumerate(data)]
        if all(evaluate is None for _, evaluate in parts):
            return [literal for literal, _ in parts], None
        items = [_evaluate(*part) for part in parts]
        return None, lambda scope: [evaluate(scope) for evaluate in items]

    def _text(self, text: str, path: KeyPath) -> tuple[Any, Evaluate | None]:
        if not self.templates and ("{{" in text or text.startswith("$.")):
            self._add_problem(_no_templates(text), path)
            return text, None
        try:
            if text.startswith("$."):
                jsonpath = compile_jsonpath(text, self.roots)
                self.sources.append((path, jsonpath))
                return None, jsonpath.evaluate if self.parts is None else join_pieces([jsonpath], self.parts)
            if self.templates and has_template(text):
                return None, self._template(split(text, self.roots), path)
        except ProblemError as error:
            self._add_problem(error.problem, path)
        return text[1:] if text.startswith("$$.") else text, None

    def _template(self, pieces: Sequence[Piece], path: KeyPath) -> Evaluate:
        self.sources += [(path, piece) for piece in pieces if not isinstance(piece, str)]
        single = single_expression(pieces) if self.parts is None else None
        return single.evaluate if single else join_pieces(pieces, self.parts)

    def _add_problem(self, problem: Problem, path: KeyPath) -> None:
        self.problems.append(problem.below(path))


def _present(pairs: list[tuple[str, Evaluate]], scope: Scope, *, may_be_empty: bool) -> dict[str, Any]:
    """Return the values that are not absent. Raises `Absent` when all are, unless the result may be empty."""
    present: dict[str, Any] = {}
    missing: Absent | None = None
    for key, evaluate in pairs:
        try:
            present[key] = evaluate(scope)
        except Absent as absent:
            missing = missing or absent
    if missing is not None and not present and not may_be_empty:
        raise missing
    return present


def _no_templates(text: str) -> Problem:
    at = max(0, text.find("{{"))
    message = "no templates here: the value must be known when the flow is loaded"
    if text.startswith("$."):
        message = "no JSONPath here: the value must be known when the flow is loaded"
        dotted = _SUBSCRIPT.sub(r".\1", text.removeprefix("$."))
        remedy = f"names and positions are joined by dots: write `{dotted}`"
        return Problem(code=NO_TEMPLATES, message=message, offset=0, length=len(text), help=remedy)
    return Problem(code=NO_TEMPLATES, message=message, offset=at, length=2)


_SUBSCRIPT: Final = re.compile(r"\[['\"]?(-?\w+)['\"]?\]")


def _evaluate(literal: Any, evaluate: Evaluate | None) -> Evaluate:
    return evaluate or (lambda scope: literal)
