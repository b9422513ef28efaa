"""Builds plain data from the parse events of YAML, and keeps the place of every key and value.

The events are read one by one, and the tree is built with an explicit stack: nothing recurses, so no nesting overflows
the call stack, and tags and aliases are still visible. Whatever is refused becomes a finding and is replaced by the
nearest harmless value, so that the rest of the document can be checked as well.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import yaml
from msgspec import Struct

from flows import syntax, yaml_pitfalls
from flows.finding import Finding
from flows.located_value import LocatedValue
from flows.lookalikes import Lookalikes, plain_key
from flows.position import LineIndex
from flows.scalar import UnsupportedNumber, read_plain

MAX_DEPTH: Final = 64  # levels of maps and lists
MAX_EXPANSION: Final = 524_288  # characters with every alias written out; a file without aliases cannot reach it
MAX_FINDINGS: Final = 100

_CONDITIONS: Final = frozenset({"if", "when", "condition"})
_NAMES: Final = frozenset(
    {"flow", "event", "source", "segment", "target", "next", "start", "segment.add", "segment.remove", "consents"}
)
_AMOUNTS: Final = frozenset({"profile.increment", "profile.count", "keep"})
_ANCHOR = re.compile(r"&[^\s\[\]{},]*\s*")


class Tree(Struct, frozen=True):
    """The root of a document (None when the text is empty or cannot be read), and the findings.

    `error` is the syntax error at which the reader stopped; the findings are those in front of it.
    """

    root: LocatedValue | None
    findings: tuple[Finding, ...]
    error: Finding | None = None


def read_tree(lines: LineIndex) -> Tree:
    """Read the one document of a text, whose size and characters have been checked before."""
    builder = _Builder(lines)
    loader = yaml.CSafeLoader(lines.text)
    try:
        while not builder.finished and loader.check_event():
            builder.handle(loader.get_event() or yaml.StreamEndEvent())
    except yaml.MarkedYAMLError as error:
        builder.fail(syntax.explain(lines, error, builder.in_flow))
    finally:
        loader.dispose()
    return Tree(builder.root, tuple(builder.findings), builder.error)


@dataclass(slots=True)
class _Frame:
    """A map or list whose end has not been read yet. `key` is the key whose value comes next."""

    value: LocatedValue
    anchor: str | None
    flow: bool
    key: LocatedValue | None = None
    refused_keys: int = 0  # each gets a made-up name
    unindented: bool = False  # whether lines are reported that belong below a key of this map


class _Builder:
    def __init__(self, lines: LineIndex) -> None:
        self.lines = lines
        self.root: LocatedValue | None = None
        self.findings: list[Finding] = []
        self.error: Finding | None = None
        self.finished = False
        self._stack: list[_Frame] = []
        self._anchors: dict[str, LocatedValue | None] = {}  # None until the named value has been read
        self._documents = 0
        self._lookalikes = Lookalikes(lines)
        self._muted: int | None = None  # depth of an unquoted template, inside which nothing is reported
        self._handlers: dict[type[yaml.Event], Callable[[Any], None]] = {
            yaml.DocumentStartEvent: self._document,
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.MappingStartEvent: self._open,
            yaml.SequenceStartEvent: self._open,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
        }

    @property
    def in_flow(self) -> bool:
        return bool(self._stack) and self._stack[-1].flow

    def handle(self, event: yaml.Event) -> None:
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def fail(self, finding: Finding) -> None:
        """End with a syntax error. It is left out when its line has a finding already, which explains it better."""
        line = self.lines.line_number(finding.start)
        reported = any(self.lines.line_number(earlier.start) == line for earlier in self.findings)
        ended_early = bool(self.findings) and finding.code == "H027"  # a refused root makes the rest a second document
        if not reported and not ended_early:
            self.error = finding
        self.root = None
        self.finished = True

    def _report(self, finding: Finding) -> None:
        if self._muted is None:
            self.findings.append(finding)
            self.finished = self.finished or len(self.findings) >= MAX_FINDINGS

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            start, _ = _span(event)
            self._report(
                Finding(
                    "H027", "a second document begins here", start, start + 3, "a file holds one document: split it"
                )
            )
            self.finished = True

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        start, end = _span(event)
        if event.tag is not None:
            self._report(yaml_pitfalls.tag(self.lines, start, end, self.in_flow))
        if event.anchor is not None and (anchor := _ANCHOR.match(self.lines.text, start, end)):
            start = anchor.end()
        located = LocatedValue(start, end, event.value, event.style or "", size=1 + len(event.value))
        if self._lookalikes.any_in(start, end):
            self._look_for_lookalikes(located)
        if event.style == "" and event.tag is None:
            self._plain(located)
        self._add(located, event.anchor)

    def _look_for_lookalikes(self, located: LocatedValue) -> None:
        """Report a character that looks like another one, outside of expressions; a key is read without it."""
        if self._is_key():
            finding = self._lookalikes.key(located.start, located.end)
            if finding is not None:
                located.data = plain_key(located.data)
        elif self._is_condition():
            return
        else:
            name = not _NAMES.isdisjoint(self._keys())
            finding = self._lookalikes.value(located.start, located.end, located.style, flow=self.in_flow, name=name)
        if finding is not None:
            self._report(finding)

    def _is_key(self) -> bool:
        """Whether the next value of this point of the document is a key."""
        frame = self._stack[-1] if self._stack else None
        return frame is not None and frame.key is None and isinstance(frame.value.data, dict)

    def _is_node_id(self) -> bool:
        """Whether a key at this point of the document is the id of a node."""
        outer = self._stack[0].key if len(self._stack) == 2 else None
        return outer is not None and outer.data == "nodes"

    def _is_condition(self) -> bool:
        """Whether the next value is a condition, by its key or by that of its map."""
        keys = self._keys()
        return bool(keys) and (keys[-1] in _CONDITIONS or keys[0] == "switch")

    def _keys(self) -> list[Any]:
        """The keys of the two innermost maps or lists at this point of the document, as far as they have one."""
        return [frame.key.data for frame in self._stack[-2:] if frame.key is not None]

    def _plain(self, located: LocatedValue) -> None:
        """Give an unquoted scalar its value, and report what it was probably meant to be instead."""
        start, end = located.start, located.end
        try:
            value = read_plain(located.data)
        except UnsupportedNumber:
            self._report(
                Finding("H022", f"the number `{located.data[:40]}` cannot be represented", start, end, _NUMBERS)
            )
            return
        context = self._context()
        pitfall = yaml_pitfalls.plain(self.lines, start, end, context) if isinstance(value, str) else None
        pitfall = pitfall or yaml_pitfalls.cut_by_comment(self.lines, start, end, context)
        if not isinstance(value, str | bool | None) and not self._is_key() and not self._is_amount():
            pitfall = pitfall or yaml_pitfalls.number(located.data, value, start, end)
        if pitfall is not None:
            self._report(pitfall)
        located.data = value

    def _is_amount(self) -> bool:
        """Whether the next value is an amount to add, where only the number counts."""
        keys = self._keys()
        return bool(keys) and keys[0] in _AMOUNTS

    def _context(self) -> yaml_pitfalls.ScalarContext:
        """The context of a scalar at this point of the document."""
        if not self._stack:
            return yaml_pitfalls.ScalarContext(flow=False, key_line=0)
        frame = self._stack[-1]
        key_line = self.lines.line_number(frame.key.start) if frame.key is not None else None
        return yaml_pitfalls.ScalarContext(flow=frame.flow, key_line=key_line)

    def _alias(self, event: yaml.AliasEvent) -> None:
        start, end = _span(event)
        name = event.anchor or ""
        target = self._anchors.get(name)
        if target is not None:
            self._add(target, None)
            return
        if name in self._anchors:
            self._report(Finding("H023", f"`*{name}` is inside the value that it names", start, end))
        else:
            self._report(yaml_pitfalls.alias(self.lines, start, self.in_flow))
        self._add(LocatedValue(start, end, None), None)

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        start, end = _span(event)
        if len(self._stack) >= MAX_DEPTH:
            self._report(Finding("H025", f"values are nested more than {MAX_DEPTH} deep", start, start + 1))
            self.root, self.finished = None, True
            return
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag is not None:
            self._report(yaml_pitfalls.tag(self.lines, start, end, self.in_flow))
        if mapping and self._muted is None and self.lines.text.startswith("{{", start):
            self._report(yaml_pitfalls.template(self.lines, start, self.in_flow))
            self._muted = len(self._stack)
        flow = bool(event.flow_style)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        located = LocatedValue(start, start, {} if mapping else [], "{" if flow else "-")
        self._stack.append(_Frame(located, event.anchor, flow))

    def _close(self, event: yaml.MappingEndEvent | yaml.SequenceEndEvent) -> None:
        frame = self._stack.pop()
        _, frame.value.end = _span(event)
        if self._muted == len(self._stack):
            self._muted = None
            frame.value.data = self.lines.text[frame.value.start : frame.value.end]
            frame.value.style = ""
        elif (
            frame.flow
            and isinstance(frame.value.data, dict)
            and (pitfall := yaml_pitfalls.entries(self.lines, frame.value))
        ):
            self._report(pitfall)
        self._add(frame.value, frame.anchor)

    def _add(self, located: LocatedValue, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = located
        if not self._stack:
            if self._documents == 1:
                self.root = located
            return
        frame = self._stack[-1]
        if isinstance(frame.value.data, list):
            self._put(frame, len(frame.value.data), located)
        elif frame.key is None:
            frame.key = self._key(frame, located)
        else:
            self._put(frame, frame.key.data, located)
            frame.key = None

    def _put(self, frame: _Frame, at: str | int, located: LocatedValue) -> None:
        holder = frame.value
        holder.size += located.size
        if holder.size > MAX_EXPANSION:
            message = "the aliases of this document expand to too much text"
            self._report(Finding("H026", message, located.start, located.start + 1))
            self.root, self.finished = None, True
            return
        if isinstance(at, int):
            holder.data.append(located.data)
        elif frame.key is None or at in holder.inside:
            return
        else:
            holder.data[at] = located.data
            holder.keys[at] = frame.key
        holder.inside[at] = located

    def _key(self, frame: _Frame, located: LocatedValue) -> LocatedValue:
        """`located` as a key. A refused key gets a made-up name, one that no author can write."""
        earlier = frame.value.keys.get(located.data) if isinstance(located.data, str) else None
        finding = yaml_pitfalls.not_indented(self.lines, frame.value) if earlier is not None else None
        muted, frame.unindented = frame.unindented, frame.unindented or finding is not None
        if muted:
            return self._made_up(frame, located)
        finding = finding or yaml_pitfalls.key(self.lines, located, earlier, node=self._is_node_id())
        if finding is None:
            return located
        self._report(finding)
        return self._made_up(frame, located)

    def _made_up(self, frame: _Frame, located: LocatedValue) -> LocatedValue:
        frame.refused_keys += 1
        return LocatedValue(located.start, located.end, f"\0{frame.refused_keys}")


def _span(event: yaml.Event) -> tuple[int, int]:
    start, end = event.start_mark, event.end_mark
    return start.index if start else 0, end.index if end else 0


_NUMBERS = "numbers are finite and within 64 bits; write it in quotes if it is a text"
