"""`consent-changed`: the event by which a sender grants and revokes consents.

Its properties are `{"consents": {NAME: true | false | {"given": true, "expires_in": "365d"}}}`. They are written to the
profile before flows read the event, under the acting id: every sender that may send events may also do this. An event
of this type with any other properties is rejected.
"""

from collections.abc import Mapping
from typing import Any

from engine.language.duration import read_duration
from engine.profile.consent import Decision, is_consent_name

CONSENT_CHANGED = "consent-changed"
MAX_DECISIONS = 50  # of one event
FORMS = 'true, false or {"given": true, "expires_in": "365d"}'


def fault_of(properties: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first place (JSON pointer) where properties are not decisions, and why; None if they are."""
    consents = properties.get("consents")
    if not isinstance(consents, dict) or not consents:
        return "/consents", 'name at least one consent: {"newsletter": true}'
    if len(consents) > MAX_DECISIONS:
        return "/consents", f"an event changes at most {MAX_DECISIONS} consents, this one {len(consents)}"
    for name, said in consents.items():
        if not is_consent_name(name):
            return "/consents", "the name of a consent has letters, digits, `_` and `-`, at most 100 of them"
        if not _is_decision(said):
            return f"/consents/{name}", f"a consent is {FORMS}"
    return None


def decisions_of(properties: Mapping[str, Any]) -> dict[str, Decision]:
    """Return the decisions of a valid event, by the names of the consents."""
    return {name: _decision(said) for name, said in properties["consents"].items()}


def _is_decision(said: object) -> bool:
    if isinstance(said, bool):
        return True
    if not isinstance(said, dict) or not isinstance(said.get("given"), bool):
        return False
    if said.get("expires_in") is None:
        return said.keys() <= {"given", "expires_in"}
    return len(said) == 2 and said["given"] and bool(read_duration(said["expires_in"]))


def _decision(said: bool | dict[str, Any]) -> Decision:
    if isinstance(said, bool):
        return Decision(said)
    return Decision(said["given"], read_duration(said.get("expires_in")))
