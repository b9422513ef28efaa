"""What a node sees: the inputs with the effects of its ancestors, folded in plan order, nothing of other branches."""

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.flow.effect import Attach, AttachSession, Effect, Merge, SetEvent, SetSession
from engine.flow.run import Inputs
from engine.language.derived import WRITTEN_AT
from engine.profile.declared import Fields
from engine.profile.document import Link as JoinStep
from engine.profile.document import Path, Profile
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
ROOTS = frozenset({*WRITABLE, "segments", COUNTERS})  # of the profile, to which operations may lead


class RunState:
    """One state of the world within a run. Never changed: `after` gives another one."""

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
        self.operations = operations  # on the profile, in order
        self.acting_id = acting_id
        self.rules = rules

    def with_scope(self, scope: dict[str, Any]) -> "RunState":
        """The same state with another scope."""
        return RunState(self.inputs, scope, self.profile, self.operations, self.acting_id, self.rules)

    def with_inputs(self, inputs: Inputs) -> "RunState":
        """The same state for a run with these inputs."""
        return RunState(inputs, self.scope, self.profile, self.operations, self.acting_id, self.rules)

    def after(self, id: str, out: Any, effects: tuple[Effect, ...]) -> "RunState":
        """What is seen behind node `id`. Raises `Refused` when an effect does not fit."""
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
            raise Refused(f"`{dotted(operation.path)}` is not something that can be written")
        scope["profile"] = change_view(profile, operation, self.rules)
        self.operations = scope["operations"] = (*self.operations, operation)

    def apply_effect(self, scope: dict[str, Any], effect: Effect, node: str) -> None:
        """Put an effect of a node that is no operation into `scope`, which is a copy of its own."""
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
        left, right, shown = self.acting_id or effect.left, effect.right, scope["profile"]
        step = JoinStep(link_id(left, right, effect.cause), left, right, effect.cause, claim)
        before, other = _copies(self.profile, effect.other)
        united = unite(before, other, step)
        if united is before:  # undone, for good
            return
        known = step.id in before.links
        if not known and (too_much := link_limit_reason(united, step, MAX_IDS, self.inputs.keys.max_per_key)):
            raise Refused(too_much)
        self.show_profile(scope, united)
        event = scope["event"]
        cause = Cause(self.inputs.now, event["id"], event["type"], self.inputs.flow, node, self.operations)
        held = ProfileState(before, shown), ProfileState(other, fold(other, self.rules))
        self.profile = with_origin(united, step.id, cause, *held, scope["profile"])

    def _attach(self, scope: dict[str, Any], effect: Attach) -> None:
        if self.inputs.identify == "refuse" and effect.profile.version:
            raise Refused("this source may not identify profiles")
        if self.profile is None:
            under = effect.found_under_id
            self.acting_id = under if under is not None and under in effect.profile.parts else effect.profile.id
            self.show_profile(scope, record_visit(effect.profile, self.acting_id, self.inputs.now, new=False))
        elif effect.profile.id not in self.profile.ids:
            raise Refused(f"the event belongs to profile {self.profile.id} already")

    def show_profile(self, scope: dict[str, Any], profile: Profile) -> None:
        """Show `person` in `scope`, with the operations of the unit so far."""
        told = profile_view(profile, fold(profile, self.rules))
        for operation in self.operations:
            told = change_view(told, operation, self.rules)
        self.profile, scope["profile"] = profile, told
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


def _copies(profile: Profile, other: Profile) -> tuple[Profile, Profile]:
    """Two profiles that are to be united; they may be copies of one, of which one is older.

    Then it counts as old as the older one, so that the commit finds out: what was decided was decided on both. And of
    a profile that has nothing more nothing is taken.
    """
    if other.parts.keys() <= profile.parts.keys():
        return profile, profile
    if other.id != profile.id:
        return profile, other
    version = min(profile.version, other.version)
    return msgspec.structs.replace(profile, version=version), msgspec.structs.replace(other, version=version)


def initial_state(inputs: Inputs, profile: dict[str, Any] | None = None) -> RunState:
    """What the first nodes see. `profile` is the shown profile, when the caller has it already."""
    rules = dict(inputs.fields) or None
    scope = {
        "event": inputs.event,
        "session": inputs.session,
        "profile": profile,
        "source": inputs.source,
        "nodes": {},
        "now": inputs.now,
        # Not for authors to read, but for what functions work out:
        "stored_profile": inputs.profile,
        "operations": inputs.earlier_operations,
        WRITTEN_AT: written_at,
    }
    state = RunState(inputs, scope, inputs.profile, inputs.earlier_operations, inputs.acting_id, rules)
    if profile is None and inputs.profile is not None:
        state.show_profile(scope, inputs.profile)
    return state


def put(tree: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """`tree` with `value` at `path`, the dictionaries on the way copied. Raises `Refused` below a value."""
    top = holder = dict(tree)
    for depth, name in enumerate(path[:-1], 1):
        inner = holder.get(name)
        if inner is not None and not isinstance(inner, Mapping):
            raise Refused(f"`{dotted(path[:depth])}` is {kind(inner)}: `{dotted(path)}` lies below it")
        below = dict(inner or {})
        holder[name] = below
        holder = below
    holder[path[-1]] = value
    return top
