"""From YAML's parse events to plain data, with the place of every key and value kept beside it.

The events are read one by one and the tree is built with a stack of our own: nothing recurses, so no nesting can end
the process, and tags and aliases are seen as what they are. What is refused becomes a finding; the value in its place
is the nearest harmless one, so that the rest of the document can still be looked at.
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
from flows.position import LineIndex
from flows.scalar import UnsupportedNumber, read_plain

MAX_DEPTH: Final = 64  # levels of maps and lists
MAX_EXPANSION: Final = 524_288  # characters with every alias written out; a file without aliases cannot reach it
MAX_FINDINGS: Final = 100

_ANCHOR = re.compile(r"&[^\s\[\]{},]*\s*")


class Tree(Struct, frozen=True):
    """What was read: the root (None when the text has no document or cannot be read) and what is wrong with it."""

    root: LocatedValue | None
    findings: tuple[Finding, ...]


def read_tree(lines: LineIndex) -> Tree:
    """Read the one document of a text. The text must have been looked at for size and characters before."""
    builder = _Builder(lines)
    loader = yaml.CSafeLoader(lines.text)
    try:
        while not builder.over and loader.check_event():
            builder.take(loader.get_event() or yaml.StreamEndEvent())
    except yaml.MarkedYAMLError as error:
        builder.give_up(syntax.explain(lines, error, builder.in_flow))
    finally:
        loader.dispose()
    return Tree(builder.root, tuple(builder.findings))


@dataclass(slots=True)
class _Frame:
    """A map or list that is being read. `key` is the key whose value comes next."""

    spot: LocatedValue
    anchor: str | None
    flow: bool
    key: LocatedValue | None = None
    dropped: int = 0  # keys that are refused; their values need some name


class _Builder:
    def __init__(self, lines: LineIndex) -> None:
        self.lines = lines
        self.root: LocatedValue | None = None
        self.findings: list[Finding] = []
        self.over = False
        self._stack: list[_Frame] = []
        self._anchors: dict[str, LocatedValue | None] = {}  # None while what it names is being read
        self._documents = 0
        self._muted: int | None = None  # depth of an unquoted template, about whose inside nothing more is said
        self._takes: dict[type[yaml.Event], Callable[[Any], None]] = {
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

    def take(self, event: yaml.Event) -> None:
        take = self._takes.get(type(event))
        if take is not None:
            take(event)

    def give_up(self, finding: Finding) -> None:
        """Nothing after this can be read. What has been said of the same line already is the better message."""
        line = self.lines.number(finding.start)
        known = any(self.lines.number(said.start) == line for said in self.findings)
        if not known and not (self.findings and finding.code == "H027"):  # a value refused at the root ends it early
            self.findings.append(finding)
        self.root = None
        self.over = True

    def _say(self, finding: Finding) -> None:
        if self._muted is None:
            self.findings.append(finding)
            self.over = self.over or len(self.findings) >= MAX_FINDINGS

    def _document(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            start, _ = _span(event)
            self._say(
                Finding("H027", "a second document begins here", start, start + 3, "one file holds one thing: split it")
            )
            self.over = True

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        start, end = _span(event)
        if event.tag is not None:
            self._say(yaml_pitfalls.tag(self.lines, start, end, self.in_flow))
        if event.anchor is not None and (anchor := _ANCHOR.match(self.lines.text, start, end)):
            start = anchor.end()
        spot = LocatedValue(start, end, event.value, event.style or "", size=1 + len(event.value))
        if event.style == "" and event.tag is None:
            self._plain(spot)
        self._add(spot, event.anchor)

    def _plain(self, spot: LocatedValue) -> None:
        try:
            value = read_plain(spot.data)
        except UnsupportedNumber:
            self._say(Finding("H022", f"the number `{spot.data[:40]}` cannot be kept", spot.start, spot.end, _NUMBERS))
            return
        around = self._place()
        found = yaml_pitfalls.plain(self.lines, spot.start, spot.end, around) if isinstance(value, str) else None
        found = found or yaml_pitfalls.cut_by_comment(self.lines, spot.start, spot.end, around)
        if found is not None:
            self._say(found)
        spot.data = value

    def _place(self) -> yaml_pitfalls.Around:
        """What a scalar that comes now is part of."""
        if not self._stack:
            return yaml_pitfalls.Around(flow=False, key_line=0)
        frame = self._stack[-1]
        key_line = self.lines.number(frame.key.start) if frame.key is not None else None
        return yaml_pitfalls.Around(flow=frame.flow, key_line=key_line)

    def _alias(self, event: yaml.AliasEvent) -> None:
        start, end = _span(event)
        name = event.anchor or ""
        target = self._anchors.get(name)
        if target is not None:
            self._add(target, None)
            return
        if name in self._anchors:
            self._say(Finding("H023", f"`*{name}` stands inside what it names", start, end))
        else:
            self._say(yaml_pitfalls.alias(self.lines, start, self.in_flow))
        self._add(LocatedValue(start, end, None), None)

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        start, end = _span(event)
        if len(self._stack) >= MAX_DEPTH:
            self._say(Finding("H025", f"values are nested more than {MAX_DEPTH} deep", start, start + 1))
            self.root, self.over = None, True
            return
        mapping = isinstance(event, yaml.MappingStartEvent)
        if event.tag is not None:
            self._say(yaml_pitfalls.tag(self.lines, start, end, self.in_flow))
        if mapping and self._muted is None and self.lines.text.startswith("{{", start):
            self._say(yaml_pitfalls.template(self.lines, start, self.in_flow))
            self._muted = len(self._stack)
        flow = bool(event.flow_style)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        spot = LocatedValue(start, start, {} if mapping else [], "{" if flow else "-")
        self._stack.append(_Frame(spot, event.anchor, flow))

    def _close(self, event: yaml.MappingEndEvent | yaml.SequenceEndEvent) -> None:
        frame = self._stack.pop()
        _, frame.spot.end = _span(event)
        if self._muted == len(self._stack):
            self._muted = None
            frame.spot.data = self.lines.text[frame.spot.start : frame.spot.end]
        elif (
            frame.flow
            and isinstance(frame.spot.data, dict)
            and (found := yaml_pitfalls.entries(self.lines, frame.spot))
        ):
            self._say(found)
        self._add(frame.spot, frame.anchor)

    def _add(self, spot: LocatedValue, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = spot
        if not self._stack:
            if self._documents == 1:
                self.root = spot
            return
        frame = self._stack[-1]
        if isinstance(frame.spot.data, list):
            self._put(frame, len(frame.spot.data), spot)
        elif frame.key is None:
            frame.key = self._key(frame, spot)
        else:
            self._put(frame, frame.key.data, spot)
            frame.key = None

    def _put(self, frame: _Frame, at: str | int, spot: LocatedValue) -> None:
        holder = frame.spot
        holder.size += spot.size
        if holder.size > MAX_EXPANSION:
            self._say(Finding("H026", "the aliases of this document say too much", spot.start, spot.start + 1))
            self.root, self.over = None, True
            return
        if isinstance(at, int):
            holder.data.append(spot.data)
        elif frame.key is None or at in holder.inside:
            return
        else:
            holder.data[at] = spot.data
            holder.keys[at] = frame.key
        holder.inside[at] = spot

    def _key(self, frame: _Frame, spot: LocatedValue) -> LocatedValue:
        """The key that `spot` is; one that is refused gets a name that no author can write."""
        finding = yaml_pitfalls.key(
            self.lines, spot, frame.spot.keys.get(spot.data) if isinstance(spot.data, str) else None
        )
        if finding is None:
            return spot
        self._say(finding)
        frame.dropped += 1
        return LocatedValue(spot.start, spot.end, f"\0{frame.dropped}")


def _span(event: yaml.Event) -> tuple[int, int]:
    start, end = event.start_mark, event.end_mark
    return start.index if start else 0, end.index if end else 0


_NUMBERS = "numbers are finite and within 64 bits; write it in quotes if it is a text"
