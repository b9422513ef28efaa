"""Bodies of loops as they are written: a map of nodes of its own, which also read `item` and `index`."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import structs

from engine.flow.edges import read_starts
from engine.flow.graph import check_body, end_problems
from engine.flow.loop_node import MAX_NESTED, LoopNode
from engine.flow.names import ProjectNames
from engine.flow.node import Body, PerTurn, type_name
from engine.flow.node_draft import BodyDraft, NodeDraft
from engine.flow.node_map import NodeMapReader, Surroundings, independent
from engine.flow.planning import wire
from engine.flow.problem_list import ProblemList
from engine.flow.reading import check_reads, unknown_field
from engine.flow.registry import Registry, field_notes, node_fields
from engine.language.expression import Read
from engine.language.kinds import A_NUMBER
from engine.language.value import Value, compile_value
from engine.problem import KeyPath

LOOP_ROOTS: Final = frozenset({"item", "index"})


class BodyReader:
    """Reads the bodies of loops, and adds their errors to `problems`."""

    def __init__(self, names: ProjectNames, registry: Registry, problems: ProblemList) -> None:
        self.names = structs.replace(names, roots=names.roots | LOOP_ROOTS)
        self.registry = registry
        self.problems = problems
        self.waits = False  # a node in a loop waits, which is an error of its own

    def read(self, draft: NodeDraft, raw: Mapping[str, Any], around: Surroundings) -> BodyDraft | None:
        """The body of the loop `draft`, a node that is written as `raw` in `around`; None when it has errors.

        The paths that the body reads and writes outside of itself become those of the loop.
        """
        assert issubclass(draft.node, LoopNode)  # noqa: S101  # the caller has checked it
        type, config = draft.node, raw[type_name(draft.node)]
        field = _field_of(type, Body)
        nodes = config.get(field) if isinstance(config, Mapping) else None
        if not isinstance(nodes, Mapping) or not nodes:
            return None  # the config has a problem
        place = around.within((*draft.at, type_name(type), field))
        if place.loops > MAX_NESTED + 1:
            help = "let the inner loop emit an event for each item, to a flow of its own"
            self.problems.add("H103", f"a loop is within at most {MAX_NESTED} others", draft.at, on="key", help=help)
            return None
        drafts, unread = NodeMapReader(self.names, self.registry, self.problems, place, self).read(nodes, "a loop")
        if not drafts:
            return None
        self._check_types(drafts)
        starts = read_starts(None, drafts, unread, self.problems)
        wiring = wire(drafts, starts, place.policy, [], scheduled=place.scheduled, around=place.around)
        handled = type.skips(config) or _wires_failure(raw)
        found = check_body(wiring, side_by_side=type.side_by_side(config), handled=handled)
        collect, reads = self._collect(type, config, (*draft.at, type_name(type)))
        if not any(problem.code == "H301" for problem in found):
            found += end_problems(wiring, reads)
        self.problems += independent(found, self.problems, nodes, drafts, unread, place.at)
        shapes = {"item": type.item_shape(config), "index": A_NUMBER}
        for each in drafts.values():
            reads += each.config.reads
            draft.config.writes += each.config.writes
        unknown = [(at, unknown_field(read, shapes)) for at, read in reads if read.path[0] in LOOP_ROOTS]
        self.problems += [problem.below(at) for at, problem in unknown if problem is not None]
        draft.config.reads += [(at, read) for at, read in reads if _is_outside(read, place.around)]
        broken = unread or any(problem.code == "H301" for problem in found)
        if broken or not all(each.is_complete for each in drafts.values()):
            return None
        return BodyDraft(
            drafts, wiring, collect, type.item_shape(config), (*draft.at, type_name(type), _field_of(type, PerTurn))
        )

    def _check_types(self, drafts: Mapping[str, NodeDraft]) -> None:
        for each in drafts.values():
            if each.node.waits:
                self.waits = True
                message = f"`{type_name(each.node)}` cannot be in a loop: a run would wait for each item"
                help = "let the loop emit an event for each item, to a flow that waits"
                self.problems.add("H103", message, (*each.at, type_name(each.node)), on="key", help=help)

    def _collect(
        self, type: type[LoopNode], config: Mapping[str, Any], at: KeyPath
    ) -> tuple[Value | None, list[tuple[KeyPath, Read]]]:
        """The value that a loop collects in each turn, and its reads."""
        field = _field_of(type, PerTurn)
        if config.get(field) is None:
            return None, []
        value, problems = compile_value(config[field], self.names.roots)
        self.problems += [problem.below((*at, field)) for problem in problems]
        reads = [((*at, field, *below), read) for below, read in value.reads] if not problems else []
        self.problems += check_reads(reads, self.names)
        return value, reads


def _field_of(type: type[LoopNode], note: type) -> str:
    """The field of a loop with a note, as authors write it; empty if there is none."""
    notes = field_notes(type)
    names = [info.encode_name for info in node_fields(type) if any(isinstance(one, note) for one in notes[info.name])]
    return names[0] if names else ""


def _wires_failure(raw: Mapping[str, Any]) -> bool:
    return isinstance(raw.get("next"), Mapping) and "failed" in raw["next"]


def _is_outside(read: Read, around: frozenset[str]) -> bool:
    """Whether a node in a body reads something that does not belong to its turn."""
    if read.path[0] == "nodes":
        return len(read.path) > 1 and read.path[1] in around
    return read.path[0] not in LOOP_ROOTS
