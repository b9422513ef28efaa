"""The config of a node (the value under its type's key): checked against the type's fields, and compiled."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import structs
from msgspec.structs import FieldInfo

from engine.flow.condition import read_condition
from engine.flow.config_problem import bad_duration, problem_of, stood_in_for, too_long, unknown_fields, writable
from engine.flow.config_template import ConfigTemplate, percent_encode
from engine.flow.field_types import admits_text, bare_type, map_type, map_value_notes, takes_anything, takes_text
from engine.flow.hash_keys import unknown_hash_keys
from engine.flow.literal_texts import literal_texts
from engine.flow.names import ProjectNames
from engine.flow.node import (
    Body,
    Checked,
    ConsentNames,
    Counters,
    Escaped,
    Fixed,
    InPlaceOf,
    IsAwaited,
    IsCondition,
    IsDuration,
    Keys,
    NeedsProfile,
    Node,
    PercentEncoded,
    PerTurn,
    Reference,
    Sparse,
    Verbatim,
    type_name,
)
from engine.flow.reading import check_reads, worded_consents
from engine.flow.registry import field_notes, node_fields, notes_in, sole_field
from engine.language.derived import COUNTER
from engine.language.duration import read_duration
from engine.language.expression import Condition, Expression, Read
from engine.language.path import AWAITED_ROOTS, parse_path
from engine.language.refusal import NO_TEMPLATES
from engine.language.template import PartWriter, always_text, has_template
from engine.language.value import Sparseness, Value, compile_value
from engine.problem import KeyPath, Problem, ProblemError
from engine.profile.tally import COUNTERS
from engine.validation_message import description, example, format_value

On = Literal["key", "value"]

FIXED_NAME = "the name must be fixed: use `switch` with one node for each name"
FIXED_PATH = (
    "the field's name must be fixed: use `switch` with one node for each category, or collect the values with "
    '`profile.add: {traits.categories: "{{ event.properties.category }}"}`'
)
FAMILIES = ("profile", "session", "event")  # node types of these families write below the root of the same name


@dataclass(slots=True)
class Config:
    """A config as read: its template (None when it has errors), its reads and writes, its problems.

    Reads and writes are paths, each with the key path in the document where it is written; uses are the compiled texts.
    """

    template: ConfigTemplate | None = None
    reads: list[tuple[KeyPath, Read]] = field(default_factory=list)
    uses: list[tuple[KeyPath, Condition | Expression]] = field(default_factory=list)
    writes: list[tuple[KeyPath, tuple[str, ...]]] = field(default_factory=list)
    profile_needs: list[tuple[KeyPath, str]] = field(default_factory=list)  # values for which there must be a profile
    problems: list[Problem] = field(default_factory=list)


def read_config(node: type[Node], raw: Any, names: ProjectNames, at: KeyPath) -> Config:
    """Check and compile the config `raw`, which is at the key path `at` of the document."""
    config = Config()
    raw_fields, sole = _by_field(node, raw, config, at)
    if raw_fields is None:
        return config
    reader = _ConfigReader(node, names, config, raw_fields)
    for info in node_fields(node):
        name = info.encode_name
        if name in raw_fields:
            reader.field(info, raw_fields[name], at if info.name == sole else (*at, name))
        elif info.required and not stood_in_for(name, raw, node):
            text = description(info.type)
            help = f"add `{name}:`" + (f" ({text[:1].lower()}{text[1:]})" if text else "")
            message = f"`{type_name(node)}` needs `{name}`"
            config.problems.append(Problem(code="H115", message=message, path=at, on="key", help=help))
    config.problems += _one_of_two(node, raw_fields, at)
    config.problems += check_reads(config.reads, names)
    config.problems += [problem for use in config.uses for problem in unknown_hash_keys(*use, names)]
    if not config.problems:
        config.problems += [_placed(problem, at, sole) for problem in node.own_problems(raw_fields)]
    if not any(p.severity == "error" for p in config.problems):
        config.template = reader.template()
    return config


def _by_field(node: type[Node], raw: Any, config: Config, at: KeyPath) -> tuple[dict[str, Any] | None, str | None]:
    """The raw value of each field (None with errors), and the name of the sole field when it takes the whole value."""
    known = {f.encode_name: f for f in node_fields(node)}
    sole = sole_field(node)
    if sole is not None and not (isinstance(raw, Mapping) and len(known) > 1 and set(raw) & set(known)):
        empty = raw is None and not known[sole].required
        return ({} if empty else {sole: raw}), sole
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        message = f"`{type_name(node)}` takes a map of " + ", ".join(f"`{k}`" for k in known)
        required = [name for name, info in known.items() if info.required]
        written = [f"{required[0]}: {format_value(raw)}"] if len(required) == 1 else [f"{name}: …" for name in required]
        help = f"write `{type_name(node)}: {{{', '.join(written)}}}`" if written else ""
        config.problems.append(Problem(code="H114", message=message, path=at, help=help))
        return None, None
    config.problems += unknown_fields(node, raw, at)
    return {k: v for k, v in raw.items() if k in known}, None


def _placed(problem: Problem, at: KeyPath, sole: str | None) -> Problem:
    """The problem of a field below `at`, where the sole field may take the place of all."""
    if problem.path[0] == sole:
        problem = structs.replace(problem, path=problem.path[1:])
    return problem.below(at)


def _one_of_two(node: type[Node], raw_fields: Mapping[str, Any], at: KeyPath) -> Iterator[Problem]:
    """Check pairs of fields of which exactly one is written (`InPlaceOf`)."""
    for name, notes in field_notes(node).items():
        for note in notes:
            if not isinstance(note, InPlaceOf):
                continue
            present = raw_fields.get(name) is not None
            other_present = raw_fields.get(note.other) is not None
            if present and other_present:
                message = f"`{type_name(node)}` takes `{note.other}` or `{name}`, not both"
                yield Problem(code="H123", message=message, path=(*at, name), on="key", help="keep one of them")
            elif not present and not other_present and not raw_fields.get(note.unless):
                alternative = f", or `{note.unless}: true` alone" if note.unless else ""
                message = f"`{type_name(node)}` needs `{note.other}` or `{name}`{alternative}"
                yield Problem(code="H123", message=message, path=at, on="key")


def _with_path_help(problem: Problem, help: str) -> Problem:
    """The same problem; for a template in a path with the remedy `help`."""
    templated = problem.code == NO_TEMPLATES and problem.on == "key" and len(problem.path) == 1
    return structs.replace(problem, help=help) if templated else problem


class _ConfigReader:
    """Sorts a node's fields into literals, values with templates, and conditions. Adds problems to `config`."""

    def __init__(self, node: type[Node], names: ProjectNames, config: Config, raw_fields: Mapping[str, Any]) -> None:
        self.node = node
        self.raw_fields = raw_fields
        self.notes = field_notes(node)
        self.names = names
        self.config = config
        self.literals: dict[str, Any] = {}
        self.values: dict[str, Value] = {}
        self.conditions: dict[str, Condition | dict[str, Condition]] = {}
        self.needs_no_check = True

    def template(self) -> ConfigTemplate:
        return ConfigTemplate(self.node, self.literals, self.values, self.conditions, self.needs_no_check)

    def field(self, info: FieldInfo, raw: Any, at: KeyPath) -> None:
        notes = self.notes[info.name]
        if _has(notes, Body) or _has(notes, PerTurn):
            self._of_turns(info, raw, at)
        elif _has(notes, IsCondition):
            roots = AWAITED_ROOTS if _has(notes, IsAwaited) else self.names.roots
            if (condition := self._condition(raw, at, roots)) is not None:
                self.conditions[info.name] = condition
        elif _has(map_value_notes(info.type), IsCondition):
            self._cases(info, raw, at)
        elif _has(notes, IsDuration):
            self._duration(info, raw, at)
        elif self._read_writes(info, raw, at, notes):
            self._value(info, raw, at, notes)

    def _of_turns(self, info: FieldInfo, raw: Any, at: KeyPath) -> None:
        """A field of a loop that is compiled with its body (`engine.flow.body`): the node itself does not read it."""
        if _has(self.notes[info.name], PerTurn):
            self.literals[info.name] = None
        elif self._fits(info, raw, at):
            self.literals[info.name] = raw

    def _cases(self, info: FieldInfo, raw: Any, at: KeyPath) -> None:
        if not isinstance(raw, Mapping) or not raw:
            self._fits(info, raw, at)
            return
        cases: dict[str, Condition] = {}
        for case, text in raw.items():
            condition = self._condition(text, (*at, case), self.names.roots)
            if self._fits(info, {case: True}, (*at, case), on="key") and condition is not None:
                cases[case] = condition
        self.conditions[info.name] = cases

    def _condition(self, raw: Any, at: KeyPath, roots: frozenset[str]) -> Condition | None:
        condition = read_condition(raw, at, self.config.problems, roots)
        if condition is not None:
            self.config.reads += [(at, read) for read in condition.reads]
            self.config.uses.append((at, condition))
        return condition

    def _duration(self, info: FieldInfo, raw: Any, at: KeyPath) -> None:
        ms = read_duration(raw)
        if ms is None:
            self.config.problems.append(bad_duration(raw, at))
        elif (problem := too_long(ms, self.notes[info.name], self._subject(info, at), at)) is not None:
            self.config.problems.append(problem)
        elif self._fits(info, ms, at):
            self.literals[info.name] = ms

    def _paths(self, note: Keys, raw: Any, at: KeyPath) -> bool:
        """Check the paths in `raw` and record them as writes. Returns False when one has an error."""
        before = len(self.config.problems)
        if isinstance(raw, str) and _computed(raw):
            message = "a path has no templates: data never decides which path is written"
            maps = any(map_type(info.type) is not None for info in node_fields(self.node))
            help = "write a map; its values may be templates" if maps else FIXED_NAME
            self.config.problems.append(Problem(code=NO_TEMPLATES, message=message, path=at, help=help))
        for text, where, on in _texts(raw, at):
            if not _computed(text):  # `_value` reports the others
                self._path(note, text, where, on)
        return len(self.config.problems) == before

    def _counter(self, text: str, at: KeyPath, on: On) -> None:
        if not COUNTER.fullmatch(text):
            help = "small letters, digits, - and _, beginning with a letter"
            message = f"`{text}` is not a counter's name"
            self.config.problems.append(Problem(code="H114", message=message, path=at, on=on, help=help))
        self.config.writes.append((at, ("profile", COUNTERS, text)))

    def _path(self, note: Keys, text: str, at: KeyPath, on: On) -> None:
        if isinstance(note, Counters):
            self._counter(text, at, on)
            return
        try:
            path = parse_path(text)
        except ProblemError as error:
            cause = error.problem
            self.config.problems.append(
                Problem(code=cause.code, message=cause.message, path=at, on=on, help=cause.help)
            )
            return
        if note.roots and (path[0] not in note.roots or (len(path) < 2 and not note.whole)):
            message = f"`{type_name(self.node)}` cannot write `{text}`"
            help = writable(path, note.roots, type_name(self.node))
            self.config.problems.append(Problem(code="H114", message=message, path=at, on=on, help=help))
        family = type_name(self.node).partition(".")[0]
        if family in FAMILIES:
            self.config.writes.append((at, (family, *path)))

    def _read_writes(self, info: FieldInfo, raw: Any, at: KeyPath, notes: tuple[Any, ...]) -> bool:
        """Check and record the paths or consents that the field writes. Returns False when one has an error."""
        if _has(notes, ConsentNames):
            return self._consents(raw, at)
        if isinstance(raw, str) and not _computed(raw) and not admits_text(info.type):
            return True  # `_value` reports that it is no map
        return all(self._paths(note, raw, at) for note in notes if isinstance(note, Keys))

    def _consents(self, raw: Any, at: KeyPath) -> bool:
        """Check the names of consents in `raw` and record them as writes. Returns False when one has an error."""
        before = len(self.config.problems)
        for name in raw if isinstance(raw, Mapping) else ():
            problem = self.names.problem("consent", str(name))
            if problem is not None:
                self.config.problems.append(
                    Problem(code=problem.code, message=problem.message, path=(*at, name), on="key", help=problem.help)
                )
            self.config.writes.append(((*at, name), ("profile", "consents", str(name))))
        return len(self.config.problems) == before

    def _value(self, info: FieldInfo, raw: Any, at: KeyPath, notes: tuple[Any, ...]) -> None:
        if _has(notes, Verbatim):
            if self._fits(info, raw, at):
                self.literals[info.name] = msgspec.convert(raw, info.type)
            return
        fixed = _has(notes, Fixed)
        parts: PartWriter | None = str if takes_text(info.type) else None
        parts = percent_encode if _has(notes, PercentEncoded) else parts
        for note in notes:
            if isinstance(note, Escaped) and (note.whole or always_text(raw, self.names.roots)):
                parts = note.escape
        value, problems = compile_value(
            raw, self.names.roots, templates=not fixed, parts=parts, sparse=self._sparseness(notes)
        )
        writes = _has(notes, Keys)
        help = FIXED_NAME if _has(notes, Counters) else FIXED_PATH
        self.config.problems += [(_with_path_help(p, help) if writes else p).below(at) for p in problems]
        failed = {(*at, *problem.path) for problem in problems}
        self.config.problems += () if fixed else [p for p in literal_texts(raw, at) if p.path not in failed]
        self.config.problems += () if fixed else worded_consents(raw, at)
        self._check_text(raw, at, notes)
        if any(p.severity == "error" for p in problems):
            return
        if value.static:
            if self._fits(info, value.literal, at):
                self.literals[info.name] = msgspec.convert(value.literal, info.type)
                for note in notes:
                    if isinstance(note, Reference):
                        self._references(note, value.literal, at)
                    elif isinstance(note, NeedsProfile) and note.value == value.literal:
                        self.config.profile_needs.append((at, f"{info.name}: {note.value}"))
            return
        self.config.reads += [((*at, *below), read) for below, read in value.reads]
        self.config.uses += [((*at, *below), expression) for below, expression in value.expressions]
        self.values[info.name] = value
        self.needs_no_check = self.needs_no_check and takes_anything(info.type, raw)
        if self._texts_fit(info, raw, at):
            self._check_literal_parts(info, raw, at)

    def _sparseness(self, notes: tuple[Any, ...]) -> Sparseness:
        note = next((note for note in notes if isinstance(note, Sparse)), None)
        if note is None:
            return "none"
        if note.when is None:
            return "some"
        name, value = note.when
        return "all" if self.raw_fields.get(name) == value else "none"

    def _check_text(self, raw: Any, at: KeyPath, notes: tuple[Any, ...]) -> None:
        """Check a text that is known before a run, but for the values of its templates."""
        if not isinstance(raw, str) or raw.startswith("$."):
            return
        for note in notes:
            defect, help = note.defect(raw) if isinstance(note, Checked) else ("", "")
            if defect:
                message = f"the {at[-1]} `{raw}` {defect}"
                self.config.problems.append(Problem(code="H114", message=message, path=at, help=help))

    def _texts_fit(self, info: FieldInfo, raw: Any, at: KeyPath) -> bool:
        """Check that the field accepts texts where a template always makes one. Returns False when it does not."""
        annotation = map_type(info.type)
        parts = [(raw, at, info.type)]
        if annotation is not None and isinstance(raw, Mapping):
            value_type = get_args(bare_type(annotation))[1]
            parts = [(part, (*at, key), value_type) for key, part in raw.items()]
        before = len(self.config.problems)
        for part, where, expected in parts:
            if always_text(part, self.names.roots):
                self._text_fits(info, part, where, expected)
        return len(self.config.problems) == before

    def _text_fits(self, info: FieldInfo, raw: Any, at: KeyPath, expected: Any) -> None:
        try:
            msgspec.convert("", expected)
        except msgspec.ValidationError as error:
            if not str(error).endswith("got `str`"):
                return  # the field accepts texts, though not this one
            problem = problem_of(error, expected, raw, at, self._subject(info, at))
            if _NO_MAP.match(str(error)):
                self.config.problems.append(self._no_map(info, problem))
                return
            help = 'with anything around it, {{ }} makes a text: put all of it inside, e.g. "{{ 0 - value }}"'
            self.config.problems.append(Problem(code=problem.code, message=problem.message, path=at, help=help))

    def _check_literal_parts(self, info: FieldInfo, raw: Any, at: KeyPath) -> None:
        """Check the parts of a map with templates that are known before a run: its keys, and its literal values."""
        annotation = map_type(info.type)
        if annotation is None or not isinstance(raw, Mapping):
            return
        value_type = get_args(bare_type(annotation))[1]
        any_map = Annotated[dict[str, Any], *notes_in(annotation)]  # checks the number of entries
        if not self._fits(info, dict.fromkeys(raw), at, any_map) or bare_type(value_type) is Any:
            return
        for key, part in raw.items():
            value, _ = compile_value(part, self.names.roots)
            if value.static:
                self._fits(info, value.literal, (*at, key), value_type)

    def _fits(self, info: FieldInfo, literal: Any, at: KeyPath, type: Any = None, on: On = "value") -> bool:
        """Check a literal against `type`, by default the field's. Returns False when it has an error."""
        expected = info.type if type is None else type
        try:
            msgspec.convert(literal, expected)
        except msgspec.ValidationError as error:
            if isinstance(literal, Mapping) and len(literal) > 1 and "[...]" in str(error):  # each entry by itself
                parts = [self._fits(info, {key: part}, at, type) for key, part in literal.items()]
                return all(parts)
            problem = problem_of(error, expected, literal, at, self._subject(info, at), on)
            self.config.problems.append(self._no_map(info, problem) if _NO_MAP.match(str(error)) else problem)
            return False
        return True

    def _subject(self, info: FieldInfo, at: KeyPath) -> str:
        """The value at `at` in messages: by its key, or by the node's type when it has no key of its own."""
        name = type_name(self.node)
        return f"`{name}`" if at[-1] == name else f"`{at[-1]}` of `{name}`"

    def _no_map(self, info: FieldInfo, problem: Problem) -> Problem:
        """The problem of a text or number in place of a map, with an example of the map."""
        map_example = example(info.type)
        if not isinstance(map_example, Mapping):
            return problem
        sole = info.name == sole_field(self.node)
        name = type_name(self.node) if sole else info.name
        message = f"`{name}` takes a map" if sole else f"`{name}` of `{type_name(self.node)}` takes a map"
        help = f"e.g. `{name}: {format_value(map_example)}`"
        return Problem(code=problem.code, message=message, path=problem.path, on=problem.on, help=help)

    def _references(self, note: Reference, literal: Any, at: KeyPath) -> None:
        is_list = isinstance(literal, list | tuple)
        also = note.unless[1] if note.unless is not None and note.unless[0] not in self.raw_fields else note.kind
        for i, name in enumerate(literal if is_list else [literal]):
            problem = self.names.problem(note.kind, str(name)) or self.names.problem(also, str(name))
            where = (*at, i) if is_list else at
            if problem is not None:
                self.config.problems.append(problem.below(where))
            if note.kind == "manual-segment":
                self.config.writes.append((where, ("profile", "segments", str(name))))


_NO_MAP = re.compile(r"Expected `object(?: \| null)?`, got `\w+`$")


def _has(notes: tuple[Any, ...], kind: type) -> bool:
    return any(isinstance(note, kind) for note in notes)


def _computed(text: str) -> bool:
    return has_template(text) or text.startswith("$.")


def _texts(raw: Any, at: KeyPath) -> Iterator[tuple[str, KeyPath, On]]:
    """The texts in `raw` that are paths, each with its key path: a map's keys, a list's items, or `raw` itself."""
    if isinstance(raw, Mapping):
        yield from ((str(key), (*at, key), "key") for key in raw)
    elif isinstance(raw, list):
        yield from ((text, (*at, i), "value") for i, text in enumerate(raw) if isinstance(text, str))
    elif isinstance(raw, str):
        yield raw, at, "value"
