"""Consents that a flow or a node wants: without all of them it does nothing. In doubt a consent is not given."""

from typing import Any

from msgspec import Struct

from engine.flow.names import ProjectNames
from engine.flow.problem_list import as_list
from engine.flow.run_state import RunState
from engine.language.expression import Read
from engine.problem import KeyPath, Problem
from engine.profile.apply import apply_operations
from engine.profile.consent import ConsentState, consent_state
from engine.profile.consented import consented

_WORDS: dict[ConsentState, str] = {
    "absent": "is absent",
    "revoked": "is revoked",
    "expired": "has expired",
    "unreadable": "cannot be read",
    "given": "is disputed: it was given or taken back under an id that is merely claimed, or both at the same time",
}


class MissingConsent(Struct, frozen=True):
    """A consent that is wanted and not given: what stands there, and why that is no consent."""

    name: str
    reason: str
    value: Any = None

    @property
    def read(self) -> dict[str, Any]:
        """What was looked at, by its path."""
        return {f"profile.consents.{self.name}": "absent" if self.value is None else self.value}


class RequiredConsents(Struct, frozen=True):
    """The consents that a flow or a node names, and that it reads them."""

    names: tuple[str, ...] = ()
    reads: tuple[tuple[KeyPath, Read], ...] = ()


NO_CONSENTS = RequiredConsents()


def read_consents(raw: Any, at: KeyPath, names: ProjectNames, problems: list[Problem]) -> RequiredConsents:
    """What `consents:` says, which stands at `at`; adds what is wrong with it to `problems`."""
    items = as_list(raw, at)
    if not items or not all(isinstance(item, str) for item, _ in items):
        error = next((where for item, where in items if not isinstance(item, str)), at)
        message = "`consents` is the name of a consent or a list of names"
        problems.append(Problem(code="H103", message=message, path=error, help="write `consents: [newsletter]`"))
        return NO_CONSENTS
    found = [problem.below(where) for item, where in items if (problem := names.problem("consent", item))]
    problems += found
    if found:
        return NO_CONSENTS
    reads = [(where, Read(("profile", "consents", item), 0, len(item), handled=True)) for item, where in items]
    return RequiredConsents(tuple(item for item, _ in items), tuple(reads))


def missing_consent(run_state: RunState, names: tuple[str, ...]) -> MissingConsent | None:
    """The first of the consents that is not given in a state of a run, or None when all are."""
    view, profile, now = run_state.scope["profile"], run_state.profile, run_state.inputs.now
    if view is None or profile is None:
        return MissingConsent(names[0], f"consent `{names[0]}` is not given: no profile")
    consents = view["consents"]
    for name in names:
        if (stands := consent_state(consents, name, now)) != "given":
            return MissingConsent(name, f"consent `{name}` {_WORDS[stands]}", consents.get(name))
    acting_id = run_state.acting_id or profile.id
    decided = [operation for operation in run_state.operations if operation.path[0] == "consents"]
    if decided:
        profile, _ = apply_operations(profile, acting_id, decided, now, fields=run_state.rules)
    for name in names:
        if not consented(profile, acting_id, name, now, view, run_state.rules):
            return MissingConsent(name, f"consent `{name}` {_WORDS['given']}", consents.get(name))
    return None
