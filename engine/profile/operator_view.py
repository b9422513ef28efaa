"""The document of a profile that operators read: its view, ids that only claims join with it, and its open waits."""

from typing import Any

from engine.profile.declared import Fields
from engine.profile.document import Profile, WaitStub
from engine.profile.fold import fold
from engine.profile.linking import own_ids
from engine.profile.profile_view import profile_view


def by_claims(profile: Profile, id: str) -> tuple[str, ...]:
    """Return the ids of a profile that only claims join with `id`, in the order of `Profile.ids`."""
    if len(profile.parts) < 2:
        return ()
    own = own_ids(profile, id)
    return tuple([each for each in profile.ids if each not in own])


def operator_view(profile: Profile, fields: Fields, id: str | None = None) -> dict[str, Any]:
    """Return the view of a profile.

    It has `by_claims` if claims join ids with `id`, the one that was asked for; and `waits` if runs of it wait.
    """
    view, claimed = profile_view(profile, fold(profile, fields)), by_claims(profile, id or profile.id)
    if claimed:
        view = {**view, "by_claims": list(claimed)}
    return {**view, "waits": [wait_document(stub) for stub in profile.waits]} if profile.waits else view


def wait_document(stub: WaitStub) -> dict[str, Any]:
    """Return an open wait as operators read it: until when and for which events the run waits. Times are in ms."""
    document: dict[str, Any] = {"id": stub.id, "flow": stub.flow, "of": stub.of, "began": stub.began, "until": stub.due}
    if stub.on:
        document["for"] = list(stub.on)
    return document | ({"arrived": True} if stub.arrived else {})
