"""The names of a project that flows may use: segments, targets, sources."""

from msgspec import Struct

from engine.problem import Problem, did_you_mean


class ProjectNames(Struct, frozen=True):
    """What exists in the project around a flow."""

    segments: frozenset[str] = frozenset()
    manual_segments: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()

    def problem(self, kind: str, name: str) -> Problem | None:
        """What is wrong with naming `name` as a `kind` (segment, manual-segment, target, source), if anything."""
        if kind == "manual-segment":
            return self._manual(name)
        known = {"segment": self.segments, "target": self.targets, "source": self.sources}[kind]
        if name in known:
            return None
        return Problem(code="H118", message=f"there is no {kind} `{name}`", help=_remedy(kind, name, known))

    def _manual(self, name: str) -> Problem | None:
        if name in self.manual_segments:
            return None
        if name in self.segments:
            return Problem(
                code="H309",
                message=f"segment `{name}` has a condition: its members come and go by that, not by hand",
                help=f"let the condition decide, or write `manual: true` in place of it in segments/{name}.yaml",
            )
        return self.problem("segment", name)


def _remedy(kind: str, name: str, known: frozenset[str]) -> str:
    where = {
        "segment": f"add segments/{name}.yaml with `segment: {name}` and `manual: true`",
        "target": f"add it to `targets:` in headrace.yaml: `{name}: {{url: https://…}}`",
        "source": f"add sources/{name}.yaml",
    }[kind]
    return did_you_mean(name, known) or where
