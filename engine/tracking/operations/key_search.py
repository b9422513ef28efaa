"""Finding a profile by a value that identifies it, such as an e-mail address."""

from contextlib import suppress
from typing import Final

from engine.ports.ids import cause_of
from engine.ports.resolve import resolve_profile
from engine.ports.store import Reads
from engine.profile.document import Path, Profile
from engine.profile.key import KeyRules, key_text
from engine.profile.linking import CLAIMED, has_lost_claim, key_link
from engine.profile.operations import Refused
from engine.profile.value import dotted

USUAL: Final[tuple[Path, ...]] = (("pii", "email"), ("pii", "phone"))  # searched also if no form is declared for them


async def profile_by_key(store: Reads, rules: KeyRules, text: str, path: Path | None = None) -> Profile | None:
    """Return the profile that holds a value of a key: of the one at `path`, else of any that the project declares.

    A proof goes before a claim. None if there is none. Raises `Unavailable`.
    """
    paths = (path,) if path is not None else dict.fromkeys((*[declared for declared, _ in rules.forms], *USUAL))
    secret = await store.secret()
    causes = []
    for each in paths:
        with suppress(Refused):
            causes.append(cause_of(secret, dotted(each), key_text(each, text, rules)))
    for name in [*[key_link(cause, "proof") for cause in causes], *[key_link(cause, "claim") for cause in causes]]:
        held = await store.key(name)
        profile = await resolve_profile(store, held.id) if held is not None else None
        if held is None or profile is None or (name.startswith(CLAIMED) and has_lost_claim(profile, held.id, name)):
            continue
        return profile
    return None


async def profile_of(store: Reads, rules: KeyRules, text: str) -> Profile | None:
    """Return the profile that an id leads to, or a key: `VALUE` or `PATH=VALUE`. None if there is none.

    Raises `Unavailable`.
    """
    text = text.strip()
    found = await resolve_profile(store, text) if text else None
    if found is None and text:
        found = await profile_by_key(store, rules, text)
    name, equals, value = text.partition("=")
    if found is None and equals and "." in name:
        found = await profile_by_key(store, rules, value, tuple(name.split(".")))
    return found
