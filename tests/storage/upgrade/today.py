"""The answers that today's program should give about the old data.

Keys have other names, and profiles have links for what they have proven. Those that are to be set apart are due.
"""

from typing import Any

from msgspec import json

from engine.profile.grouping import DUE_AT_ONCE
from storage.encoding import decode_profile
from storage.identity_upgrade import new_key, with_proofs
from tests.storage.upgrade.reader import plain

CEASED = 1  # ms; stands for the time of the upgrade, at which claims have ceased


def names_today(names: dict[str, list[str]], old: dict[str, Any], secret: bytes) -> dict[str, list[str]]:
    """The names that are asked about, with the new ones of keys."""
    keys = [new_key(secret, key, bool(old["keys"].get(key, ("", False))[1])) for key in names["keys"]]
    return {**names, "keys": keys}


def answers_today(old: dict[str, Any], secret: bytes) -> dict[str, Any]:
    """The old answers, as today's program should give them."""
    proven = [(id, new_key(secret, key, False)) for key, (id, claim) in old["keys"].items() if id and not claim]

    def profile_today(doc: Any) -> Any:
        profile = decode_profile(json.encode(doc))
        mine = [(id, cause) for id, cause in proven if id in profile.parts]
        return without_times(plain(with_proofs(profile, mine, CEASED)))

    profiles = {id: doc and profile_today(doc) for id, doc in old["profiles"].items()}
    apart = sorted({doc["id"] for doc in profiles.values() if doc and doc.get("due") == DUE_AT_ONCE})
    return {
        **old,
        "due": [*apart, *[id for id in old["due"] if id not in apart]],
        "keys": {new_key(secret, key, claim): id for key, (id, claim) in old["keys"].items()},
        "profiles": profiles,
    }


def found_today(found: dict[str, Any]) -> dict[str, Any]:
    """Today's answers, without the time at which claims have ceased."""
    return {**found, "profiles": {id: doc and without_times(doc) for id, doc in found["profiles"].items()}}


def without_times(doc: dict[str, Any]) -> dict[str, Any]:
    """A profile in JSON in which all claims that have ceased did so at one time."""
    for link in doc.get("links", {}).values():
        if "ceased" in link:
            link["ceased"] = CEASED
    return doc
