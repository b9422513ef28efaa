"""The state that a node of a run sees: the inputs, changed by the effects of its ancestors.

A `RunState` is immutable from outside: `after` returns the state behind one more node, so states of different branches
share what they have in common and never influence each other. It has two halves that always agree:

- `scope`, what expressions read: event, session, source, the outputs of nodes, the time, and the *view* of the profile
  (a dict, in which the operations so far are applied);
- `profile` and `operations`: the stored document as the unit loaded, attached or merged it, and the operations that the
  unit's runs have made on it since. The commit applies the operations to the document; the view only predicts that.

An operation changes the view. A merge or an attach replaces the document, so the view is built again, and the
operations so far are applied to it. An effect that does not fit the state raises `Refused` and leaves it unchanged.
Copies are shallow: a state copies the scope, and of trees in it the dictionaries on the path that changes.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.flow.effect import Attach, AttachSession, Effect, Merge, SetEvent, SetSession
from engine.flow.run import Inputs
from engine.language.derived import WRITTEN_AT
from engine.language.zone import TIMEZONE
from engine.profile.declared import Fields
from engine.profile.document import Link, Path, Profile
from engine.profile.fold import fold
from engine.profile.link_history import Cause, ProfileState, link_limit_reason, with_origin
from engine.profile.merge import link_id, unite
from engine.profile.operations import Add, Append, Count, Increment, Operation, Refused, Remove, Set, Unset
from engine.profile.profile_view import WRITABLE, change_view, profile_view
from engine.profile.tally import COUNTERS
from engine.profile.value import dotted, kind
from engine.profile.visits import record_visit
from engine.profile.written_at import written_at

MAX_IDS = 100  # of one profile
OPERATIONS = frozenset({Set, Increment, Add, Unset, Remove, Append, Count})
ROOTS = frozenset({*WRITABLE, "segments", COUNTERS})  # of the profile's paths that operations may write


class RunState:
    """The data that a run can read at one point. Methods return a new state; `initial_state` and `after` fill it."""

    __slots__ = ("acting_id", "inputs", "operations", "profile", "rules", "scope")

    def __init__(
        self,
        inputs: Inputs,
        scope: dict[str, Any],
        profile: Profile | None,
        operations: tuple[Operation, ...] = (),
        acting_id: str | None = None,
        rules: Fields | None = None,
    ) -> None:
        self.inputs = inputs
        self.scope = scope
        self.profile = profile
        self.operations = operations  # of the unit so far on the profile, in order
        self.acting_id = acting_id  # the profile's id under which the unit acts
        self.rules = rules  # how declared fields combine the values of several ids

    def with_scope(self, scope: dict[str, Any]) -> "RunState":
        """The same state with another scope."""
        return RunState(self.inputs, scope, self.profile, self.operations, self.acting_id, self.rules)

    def with_inputs(self, inputs: Inputs) -> "RunState":
        """The same state for a run with these inputs."""
        return RunState(inputs, self.scope, self.profile, self.operations, self.acting_id, self.rules)

    def after(self, id: str, out: Any, effects: tuple[Effect, ...]) -> "RunState":
        """The state after node `id` has left with `out` and `effects`. Raises `Refused` when an effect does not fit."""
        if out is None and not effects:
            return self
        scope = self.scope.copy()
        if out is not None:
            scope["nodes"] = {**scope["nodes"], id: {"out": out}}
        new = RunState(self.inputs, scope, self.profile, self.operations, self.acting_id, self.rules)
        for effect in effects:
            if type(effect) in OPERATIONS:
                new._change(scope, effect)  # type: ignore[arg-type]  # it is one of them
            else:
                new.apply_effect(scope, effect, id)
        return new

    def _change(self, scope: dict[str, Any], operation: Operation) -> None:
        profile = scope["profile"]
        if profile is None:
            raise Refused("the event has no profile")
        if operation.path[0] not in ROOTS:
            raise Refused(f"`{dotted(operation.path)}` cannot be written")
        scope["profile"] = change_view(profile, operation, self.rules)
        self.operations = scope["operations"] = (*self.operations, operation)

    def apply_effect(self, scope: dict[str, Any], effect: Effect, node: str) -> None:
        """Apply an effect of `node` that is not an operation to this state and `scope`, its own copy of the scope.

        Effects that change no state (such as `Log`) are ignored. Raises `Refused` when the effect does not fit.
        """
        if isinstance(effect, Merge):
            self._merge(scope, effect, node)
        elif isinstance(effect, Attach):
            self._attach(scope, effect)
        elif isinstance(effect, SetSession):
            self._set_session(scope, effect)
        elif isinstance(effect, AttachSession):
            self._attach_session(scope, effect)
        elif isinstance(effect, SetEvent):
            scope["event"] = put(scope["event"], effect.path, effect.value)

    def _merge(self, scope: dict[str, Any], effect: Merge, node: str) -> None:
        if self.profile is None:
            raise Refused("the event has no profile")
        identify = "trust" if effect.proven else self.inputs.identify
        if identify == "refuse":
            raise Refused("this source may not identify profiles")
        claim = effect.claimed or identify != "trust"
        left, right, view = self.acting_id or effect.left, effect.right, scope["profile"]
        link = Link(link_id(left, right, effect.cause), left, right, effect.cause, claim)
        own, other = _with_lower_version(self.profile, effect.other)
        united = unite(own, other, link)
        if united is own:  # an unmerge has undone this link, for good
            return
        known = link.id in own.links
        if not known and (reason := link_limit_reason(united, link, MAX_IDS, self.inputs.keys.max_per_key)):
            raise Refused(reason)
        self.replace_profile(scope, united)
        event = scope["event"]
        cause = Cause(self.inputs.now, event["id"], event["type"], self.inputs.flow, node, self.operations)
        sides = ProfileState(own, view), ProfileState(other, fold(other, self.rules))
        self.profile = with_origin(united, link.id, cause, *sides, scope["profile"])

    def _attach(self, scope: dict[str, Any], effect: Attach) -> None:
        if self.inputs.identify == "refuse" and effect.profile.version:
            raise Refused("this source may not identify profiles")
        if self.profile is None:
            id = effect.found_under_id
            self.acting_id = id if id is not None and id in effect.profile.parts else effect.profile.id
            self.replace_profile(scope, record_visit(effect.profile, self.acting_id, self.inputs.now, new=False))
        elif effect.profile.id not in self.profile.ids:
            raise Refused(f"the event belongs to profile {self.profile.id} already")

    def replace_profile(self, scope: dict[str, Any], profile: Profile) -> None:
        """Put `profile` in the place of the state's profile, and its view, with the operations so far, into `scope`."""
        view = profile_view(profile, fold(profile, self.rules))
        for operation in self.operations:
            view = change_view(view, operation, self.rules)
        self.profile, scope["profile"] = profile, view
        scope["stored_profile"] = profile

    def _attach_session(self, scope: dict[str, Any], effect: AttachSession) -> None:
        if scope["session"] is None:
            scope["session"] = effect.session
        elif scope["session"]["id"] != effect.session["id"]:
            raise Refused(f"the event belongs to session {scope['session']['id']} already")

    def _set_session(self, scope: dict[str, Any], effect: SetSession) -> None:
        if scope["session"] is None:
            raise Refused("the event has no session")
        scope["session"] = put(scope["session"], effect.path, effect.value)


def _with_lower_version(profile: Profile, other: Profile) -> tuple[Profile, Profile]:
    """The two profiles to unite. Two copies of one profile both get the lower of their versions.

    The run has decided on both copies; with the lower version the commit detects that one of them was out of date. When
    `other` has no part that `profile` lacks, `profile` is returned twice, so nothing of it is taken over.
    """
    if other.parts.keys() <= profile.parts.keys():
        return profile, profile
    if other.id != profile.id:
        return profile, other
    version = min(profile.version, other.version)
    return msgspec.structs.replace(profile, version=version), msgspec.structs.replace(other, version=version)


def initial_state(inputs: Inputs, profile: dict[str, Any] | None = None) -> RunState:
    """The state before any node has run. `profile` is the view of the profile, if the caller has made it already."""
    rules = dict(inputs.fields) or None
    scope = {
        "event": inputs.event,
        "session": inputs.session,
        "profile": profile,
        "source": inputs.source,
        "nodes": {},
        "now": inputs.now,
        TIMEZONE: inputs.timezone,
        # Expressions cannot read these; functions of the language use them:
        "stored_profile": inputs.profile,
        "operations": inputs.earlier_operations,
        WRITTEN_AT: written_at,
    }
    state = RunState(inputs, scope, inputs.profile, inputs.earlier_operations, inputs.acting_id, rules)
    if profile is None and inputs.profile is not None:
        state.replace_profile(scope, inputs.profile)
    return state


def put(tree: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """A copy of `tree` with `value` at `path`. Raises `Refused` when a name on the path has a value that is no map.

    Only the dictionaries on the path are copied; missing ones are added.
    """
    top = parent = dict(tree)
    for depth, name in enumerate(path[:-1], 1):
        inner = parent.get(name)
        if inner is not None and not isinstance(inner, Mapping):
            raise Refused(f"`{dotted(path[:depth])}` is {kind(inner)}: `{dotted(path)}` lies below it")
        child = dict(inner or {})
        parent[name] = child
        parent = child
    parent[path[-1]] = value
    return top
