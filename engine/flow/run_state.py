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

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import json, structs

from engine.flow.effect import Attach, AttachSession, Effect, Merge, SetEvent, SetSession, SetState
from engine.flow.run import Inputs
from engine.language.derived import WRITTEN_AT
from engine.language.zone import TIMEZONE
from engine.profile.declared import Fields
from engine.profile.document import Path, Profile
from engine.profile.fold import fold
from engine.profile.grouping import regroup
from engine.profile.joining import link_rules
from engine.profile.link_history import Cause, ProfileState, origin
from engine.profile.linking import Pool, accept
from engine.profile.operations import Add, Append, Count, Increment, Operation, Refused, Remove, Set, Unset
from engine.profile.profile_view import WRITABLE, change_view, profile_view
from engine.profile.recent import RECENT
from engine.profile.tally import COUNTERS
from engine.profile.tree import View
from engine.profile.value import dotted, kind
from engine.profile.visits import begun_by, record_visit
from engine.profile.written_at import written_at

_encode = json.Encoder().encode

OPERATIONS = frozenset({Set, Increment, Add, Unset, Remove, Append, Count})
TASK_STATE = "task state"  # of the scope: what a scheduled flow keeps; expressions cannot read it
MAX_STATE = 65_536  # bytes of it, as JSON
JOINED = "joined documents"  # of the scope: the pool and its documents; expressions cannot read it
ROOTS = frozenset({*WRITABLE, "segments", COUNTERS, RECENT})  # of the profile's paths that operations may write


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

    @property
    def pool(self) -> Pool | None:
        """Once a link was made: the parts and links of all documents that it has to do with."""
        joined = self.scope.get(JOINED)
        return joined[0] if joined is not None else None

    @property
    def documents(self) -> tuple[Profile, ...]:
        """The documents of which `pool` was made, as they were read."""
        joined = self.scope.get(JOINED)
        return joined[1] if joined is not None else ()

    def begin_with(self, former: Profile) -> None:
        """Let the state's unit write the profile to which its session has led, too. Only for a new state."""
        if self.profile is not None and former.id != self.profile.id:
            self.scope[JOINED] = Pool.of(self.profile, former), (self.profile, former)

    def with_scope(self, scope: dict[str, Any]) -> "RunState":
        """The same state with another scope."""
        return RunState(self.inputs, scope, self.profile, self.operations, self.acting_id, self.rules)

    def with_inputs(self, inputs: Inputs) -> "RunState":
        """The same state for a run with these inputs."""
        return RunState(inputs, self.scope, self.profile, self.operations, self.acting_id, self.rules)

    def after(self, id: str, out: Any, effects: tuple[Effect, ...], name: str = "") -> "RunState":
        """The state after node `id` has left with `out` and `effects`. Raises `Refused` when an effect does not fit.

        `name` is that of the node with its turns, if it is part of a loop.
        """
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
                new.apply_effect(scope, effect, name or id)
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
        elif isinstance(effect, SetState):
            scope[TASK_STATE] = _with_value(scope.get(TASK_STATE), effect)

    def _merge(self, scope: dict[str, Any], effect: Merge, node: str) -> None:
        profile, own = self.profile, effect.links[-1]
        if profile is None:
            raise Refused("the event has no profile")
        if self.inputs.identify == "refuse" and own.kind == "claim":
            raise Refused("this source may not identify profiles")
        pool, other = self.pool or Pool.of(profile), effect.other
        if other is not None and other.parts.keys() <= profile.parts.keys():
            other = None  # a copy of what the unit has already: the commit compares the version of that
        wide = pool if other is None else pool.joined_by(other)
        verdict = accept(wide, effect.links, link_rules(self.inputs.keys), self.inputs.now)
        if verdict.refused in ("other", "limit") and own.kind == "proof":
            raise Refused(verdict.reason)
        if not verdict.taken:
            return
        documents = self.documents or (profile,)
        if other is not None and not _is_known(other, documents):
            documents = (*documents, other)
        self._regroup(scope, verdict.pool, documents, effect, node)

    def _regroup(
        self, scope: dict[str, Any], pool: Pool, documents: tuple[Profile, ...], effect: Merge, node: str
    ) -> None:
        """Replace the profile by its group in `pool`, and record the origin of the new links of `effect`."""
        assert self.profile is not None  # noqa: S101  # `_merge` has checked it
        own, view = self.profile, scope["profile"]
        before = self.pool.links if self.pool is not None else own.links
        acting_id = self.acting_id or own.id
        merged = _group_of(pool, documents, acting_id, own)
        self.replace_profile(scope, merged)
        event, other = scope["event"], effect.other
        cause = Cause(self.inputs.now, event["id"], event["type"], self.inputs.flow, node, self.operations)
        joined = other is not None and not other.parts.keys() <= own.parts.keys() and other.id in merged.parts
        after = ProfileState(merged, scope["profile"])
        why = plain = origin(cause, acting_id, ProfileState(own, view), None, after)
        if joined and other is not None:
            stayed, met = self._side(own, acting_id, merged, view), self._side(other, other.id, merged)
            why = origin(cause, acting_id, stayed, met, after)
        for link in pool.links.values():
            if link.id not in before and link.why is None:
                pool = pool.with_link(structs.replace(link, why=why if link.left == acting_id else plain))
        scope[JOINED] = pool, documents
        links = {id: pool.links[id] for id in merged.links}
        self.profile = scope["stored_profile"] = structs.replace(merged, links=links)

    def _side(self, before: Profile, id: str, merged: Profile, view: View | None = None) -> ProfileState:
        """Return one side of a merge: the parts of `before` that are in `merged`, of which `id` is one.

        The merge may have set others apart. `view` is that of `before`, if it is known.
        """
        if before.parts.keys() <= merged.parts.keys():
            return ProfileState(before, fold(before, self.rules) if view is None else view)
        parts = {part.id: part for part in before.parts.values() if part.id in merged.parts}
        joined = structs.replace(before, id=before.id if before.id in parts else id, parts=parts)
        return ProfileState(joined, fold(joined, self.rules))

    def _attach(self, scope: dict[str, Any], effect: Attach) -> None:
        if self.inputs.identify == "refuse" and effect.profile.version:
            raise Refused("this source may not identify profiles")
        if self.profile is not None:
            if effect.profile.id not in self.profile.ids:
                raise Refused(f"the event belongs to profile {self.profile.id} already")
            return
        profile, id = effect.profile, effect.acting_id or effect.found_under_id
        if effect.links or effect.other is not None:
            documents = (profile,) if effect.other is None else (profile, effect.other)
            verdict = accept(Pool.of(*documents), effect.links, link_rules(self.inputs.keys), self.inputs.now)
            if not verdict.taken:
                raise Refused(verdict.reason)
            scope[JOINED] = verdict.pool, documents
            profile = _attached(regroup(verdict.pool, documents, id).of(id or profile.id), profile, id)
        self.acting_id = id if id is not None and id in profile.parts else profile.id
        profile = record_visit(profile, self.acting_id, self.inputs.now, new=False)
        if scope["source"].get("times") == "occurred":
            profile = begun_by(profile, self.acting_id, scope["event"]["time"])
        self.replace_profile(scope, profile)

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


def _with_value(state: Mapping[str, Any] | None, effect: SetState) -> dict[str, Any]:
    """Return the state of a task with a value set or removed. Raises `Refused`."""
    if state is None:
        raise Refused("only a flow with a schedule has a state")
    changed = {**state, effect.key: effect.value}
    if effect.value is None:
        del changed[effect.key]
    size = len(_encode(changed))
    if size > MAX_STATE:
        raise Refused(f"the state of this flow would have {size} bytes as JSON: at most {MAX_STATE}")
    return changed


def _is_known(document: Profile, documents: Iterable[Profile]) -> bool:
    """Whether one of the documents is the same, with all its parts: what a merge has begun may have come since."""
    return any(
        (each.id, each.version) == (document.id, document.version) and each.parts.keys() >= document.parts.keys()
        for each in documents
    )


def _group_of(pool: Pool, documents: Sequence[Profile], id: str, before: Profile) -> Profile:
    """Return the profile that has `id`. If no profile was joined or set apart, its segments stay as they are."""
    group = regroup(pool, documents, id).of(id)
    if group.parts.keys() != before.parts.keys():
        return group
    return structs.replace(before, parts=group.parts, links=group.links)


def _attached(group: Profile, before: Profile, id: str | None) -> Profile:
    """Return the profile that an event is attached to. If `id` alone has come to it, its segments stay as they are."""
    if group.parts.keys() - {id} != before.parts.keys() - {id}:
        return group
    return structs.replace(
        group,
        conditional=before.conditional,
        standing=before.standing,
        evaluated_at=before.evaluated_at,
        due=before.due,
    )


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
    if inputs.task_state is not None:
        scope[TASK_STATE] = inputs.task_state
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
