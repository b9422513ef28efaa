"""Logging in: the links that a sender brings, as effects on the state with which its events start."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from engine.flow.effect import Effect, Merge
from engine.flow.join_effects import join_effects
from engine.flow.run_state import RunState
from engine.language.path import read
from engine.profile.document import Profile
from engine.profile.joining import Brought, bring, join_ids, link_rules
from engine.profile.key import KeyRules
from engine.profile.linking import Pool, new_link
from engine.profile.operations import Set
from engine.profile.own_value import own_value
from engine.tracking.unit.sender import Login, Sender


class LoginLink(Struct, frozen=True):
    """The effects of one link of a sender, and the reason if it was not taken."""

    effects: list[Effect]
    reason: str = ""


BringLink = Callable[[RunState], LoginLink]


def login_links(login: Login, keys: KeyRules) -> Iterator[BringLink]:
    """Yield a function for each link of a login; each is to be called with the state after the one before."""
    if (device := login.device) is not None:
        yield lambda state: _own(state, login, device, keys)
    if (user := login.user) is not None:
        yield lambda state: _user(state, login, user, keys)
    if (previous := login.previous) is not None:
        yield lambda state: _previous(state, login, previous, keys)


def _own(state: RunState, login: Login, device: Profile, keys: KeyRules) -> LoginLink:
    """Join the device with its first user."""
    link = new_link(login.sender.device or "", "own", login.sender.id)
    joined = join_ids(_pool(state), link, device, link_rules(keys), state.inputs.now)
    refused = joined.verdict.reason
    reason = f"the device's events without a user are not this user's: {refused}" if refused else ""
    return LoginLink([Merge(joined.links, device)] if joined.links else [], reason)


def _user(state: RunState, login: Login, user: Brought, keys: KeyRules) -> LoginLink:
    """Bring the user's key, and write its value."""
    sender = login.sender
    joined = bring(_pool(state), sender.id, user, link_rules(keys), state.inputs.now)
    effects = join_effects(user, joined)
    if joined.verdict.taken and not _has_value(state, sender):
        effects.append(Set(sender.path, sender.text))
    return LoginLink(effects, joined.verdict.reason)


def _previous(state: RunState, login: Login, previous: Brought, keys: KeyRules) -> LoginLink:
    """Bring the key of an earlier user id, as an alias, and write the later id's value: it is the one that shows."""
    sender = login.sender
    joined = bring(_pool(state), sender.id, previous, link_rules(keys), state.inputs.now)
    effects = join_effects(previous, joined)
    if joined.verdict.taken:
        effects.append(Set(sender.path, sender.text))
    return LoginLink(effects, joined.verdict.reason)


def _has_value(state: RunState, sender: Sender) -> bool:
    """Return whether the sender's profile shows its user, and would if all who are joined with it left."""
    shown, profile = read(state.scope["profile"], sender.path), state.profile
    own = own_value(profile, sender.id, sender.path) if profile is not None and len(profile.parts) > 1 else shown
    return bool(shown == own == sender.text)


def _pool(state: RunState) -> Pool:
    assert state.profile is not None  # noqa: S101  # a sender always has one
    return state.pool or Pool.of(state.profile)
