"""Consents that a flow or a node requires: unless all are given, it does not run. In doubt a consent is not given."""

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
    """A consent that is required and not given: the stored value, and the reason why it is no consent."""

    name: str
    reason: str
    value: Any = None

    @property
    def read(self) -> dict[str, Any]:
        """The value that was read, by its path; for traces."""
        return {f"profile.consents.{self.name}": "absent" if self.value is None else self.value}


class RequiredConsents(Struct, frozen=True):
    """The consents that a flow or a node names under `consents:`, and its reads of them."""

    names: tuple[str, ...] = ()
    reads: tuple[tuple[KeyPath, Read], ...] = ()


NO_CONSENTS = RequiredConsents()


def read_consents(raw: Any, at: KeyPath, names: ProjectNames, problems: list[Problem]) -> RequiredConsents:
    """The consents that `consents:` at `at` names. Adds its errors to `problems`, and then returns `NO_CONSENTS`."""
    items = as_list(raw, at)
    if not items or not all(isinstance(item, str) for item, _ in items):
        error = next((where for item, where in items if not isinstance(item, str)), at)
        message = "`consents` is the name of a consent or a list of names"
        problems.append(Problem(code="H103", message=message, path=error, help="write `consents: [newsletter]`"))
        return NO_CONSENTS
    bad_names = [problem.below(where) for item, where in items if (problem := names.problem("consent", item))]
    problems += bad_names
    if bad_names:
        return NO_CONSENTS
    reads = [(where, Read(("profile", "consents", item), 0, len(item), handled=True)) for item, where in items]
    return RequiredConsents(tuple(item for item, _ in items), tuple(reads))


def missing_consent(run_state: RunState, names: tuple[str, ...]) -> MissingConsent | None:
    """The first of the consents `names` that is not given in a state of a run, or None when all are given."""
    view, profile, now = run_state.scope["profile"], run_state.profile, run_state.inputs.now
    if view is None or profile is None:
        return MissingConsent(names[0], f"consent `{names[0]}` is not given: no profile")
    consents = view["consents"]
    for name in names:
        if (current_state := consent_state(consents, name, now)) != "given":
            return MissingConsent(name, f"consent `{name}` {_WORDS[current_state]}", consents.get(name))
    acting_id = run_state.acting_id or profile.id
    decided = [operation for operation in run_state.operations if operation.path[0] == "consents"]
    if decided:
        profile, _ = apply_operations(profile, acting_id, decided, now, fields=run_state.rules)
    for name in names:
        if not consented(profile, acting_id, name, now, view, run_state.rules):
            return MissingConsent(name, f"consent `{name}` {_WORDS['given']}", consents.get(name))
    return None
