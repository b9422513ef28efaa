"""The names of a project that flows may use: segments, targets, sources."""

from msgspec import Struct

from engine.problem import Problem, did_you_mean
from engine.profile.consent import is_consent_name


class ProjectNames(Struct, frozen=True):
    """What exists in the project around a flow."""

    segments: frozenset[str] = frozenset()
    manual_segments: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()

    def problem(self, kind: str, name: str) -> Problem | None:
        """What is wrong with naming `name` as a `kind`, e.g. segment, manual-segment or consent, if anything."""
        if kind == "consent":
            return _bad_consent(name)
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


def _bad_consent(name: str) -> Problem | None:
    """Consents are not declared: any name will do that can be written in a path and in a payload."""
    if is_consent_name(name):
        return None
    help = "letters, digits, `_` and `-`, at most 100 of them"
    above, _, last = name.rpartition(".")
    if above in ("consents", "profile.consents") and is_consent_name(last):
        help = f"write the name alone: `{last}`"
    return Problem(code="H104", message=f"`{name[:100]}` is not the name of a consent", help=help)


def _remedy(kind: str, name: str, known: frozenset[str]) -> str:
    where = {
        "segment": f"add segments/{name}.yaml with `segment: {name}` and `manual: true`",
        "target": f"add it to `targets:` in headrace.yaml: `{name}: {{url: https://…}}`",
        "source": f"add sources/{name}.yaml",
    }[kind]
    return did_you_mean(name, known) or where
