"""The names in a project that flows may refer to: segments, targets, sources; and the form of consent names."""

from collections.abc import Mapping

from msgspec import Struct

from engine.problem import Problem, did_you_mean
from engine.profile.consent import is_consent_name
from engine.schema.value_type import ValueType


class ProjectNames(Struct, frozen=True):
    """The names that the project around a flow defines."""

    segments: frozenset[str] = frozenset()
    manual_segments: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    fields: Mapping[str, Mapping[str, ValueType]] = {}  # that schemas declare, by the type of events
    typed: bool = False  # every source applies schemas

    def problem(self, kind: str, name: str) -> Problem | None:
        """The problem of a reference to `name`, or None. `kind`: segment, manual-segment, target, source or consent."""
        if kind == "consent":
            return _consent_name_problem(name)
        if kind == "manual-segment":
            return self._manual_segment_problem(name)
        known = {"segment": self.segments, "target": self.targets, "source": self.sources}[kind]
        if name in known:
            return None
        return Problem(code="H118", message=f"there is no {kind} `{name}`", help=_help(kind, name, known))

    def _manual_segment_problem(self, name: str) -> Problem | None:
        if name in self.manual_segments:
            return None
        if name in self.segments:
            return Problem(
                code="H309",
                message=f"segment `{name}` has a condition: its members come and go by that, not by hand",
                help=f"let the condition decide, or write `manual: true` in place of it in segments/{name}.yaml",
            )
        return self.problem("segment", name)


def _consent_name_problem(name: str) -> Problem | None:
    """Consents are not declared, so any name is valid that can be written in a path and in a payload."""
    if is_consent_name(name):
        return None
    help = "letters, digits, `_` and `-`, at most 100 of them"
    above, _, last = name.rpartition(".")
    if above in ("consents", "profile.consents") and is_consent_name(last):
        help = f"write the name alone: `{last}`"
    return Problem(code="H104", message=f"`{name[:100]}` is not the name of a consent", help=help)


def _help(kind: str, name: str, known: frozenset[str]) -> str:
    declaration = {
        "segment": f"add segments/{name}.yaml with `segment: {name}` and `manual: true`",
        "target": f"add it to `targets:` in headrace.yaml: `{name}: {{url: https://…}}`",
        "source": f"add sources/{name}.yaml",
    }[kind]
    return did_you_mean(name, known) or declaration
