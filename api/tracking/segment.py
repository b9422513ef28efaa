"""`/v1/track`, `/v1/batch` and their like: the clients of Segment and of RudderStack."""

from functools import partial
from typing import Any, Final

import msgspec

from api.tracking.exchange import Reply, problem_reply
from api.tracking.foreign import LARGE_BODY, Configuration, Endpoint
from api.tracking.keys import KEY, basic_user, key_of_path
from api.tracking.operations import segment as operations
from engine.tracking.foreign.segment import translation_steps
from engine.tracking.foreign.translation import ForeignRequest
from engine.tracking.pipeline.foreign_processing import Processed

RETRIES: Final = (  # headers that pages add when they send events again: a preflight that omits one would lose them
    b"x-retry-count",
    b"rsa-recovered",
    b"rsa-retry-attempt",
    b"rsa-retry-reason",
    b"rsa-since-first-attempt",
    b"rsa-since-last-attempt",
)
KINDS: Final = ("track", "identify", "page", "screen", "group", "alias", "batch", "import")
SHORT: Final = ("t", "i", "p", "s", "g", "a", "b")  # of the browser client
SETTINGS: Final = f"/v1/projects/{KEY}/settings"
TAKEN: Final = Reply(msgspec.json.encode({"success": True, "status": 1}))
NO_REPORTS: Final[dict[str, Any]] = {"errors": {"enabled": False}, "metrics": {"enabled": False}}


def taken(_: Processed) -> Reply:
    """Return the answer to a request whose events have been taken or rejected."""
    return TAKEN


def refused(status: int, document: dict[str, Any]) -> Reply:
    """Return the problem document with the members that RudderStack's Python client reads of an error."""
    return problem_reply(status, {**document, "code": document["title"], "message": document["detail"]})


def settings(key: str, _: ForeignRequest) -> Reply:
    """Return the settings with which Segment's browser client sends its events, and loads nothing else."""
    integration = {"apiKey": key, "unbundledIntegrations": [], "addBundledMetadata": False}
    accepted = {"__default": {"enabled": True, "integrations": {}}}
    document = {
        "integrations": {"Segment.io": integration},
        "plan": {"track": accepted, "identify": accepted, "group": accepted},
        "edgeFunction": {},
        "analyticsNextEnabled": True,
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }
    return Reply(msgspec.json.encode(document))


def source_configuration(key: str, _: ForeignRequest) -> Reply:
    """Return the configuration with which RudderStack's browser client sends its events, and loads nothing else."""
    source = {
        "id": key,
        "name": key,
        "enabled": True,
        "writeKey": key,
        "workspaceId": key,
        "config": {"statsCollection": NO_REPORTS},
        "destinations": [],
        "connections": [],
        "dataplanes": {},
    }
    return Reply(msgspec.json.encode({"source": source}))


def key_of_configuration(request: ForeignRequest) -> str:
    """Return the key in the query or the `Authorization` of a request; empty without one."""
    return next(iter(request.query.get("writeKey", ())), "") or basic_user(request.headers)


ENDPOINTS: Final = (
    Endpoint(
        protocol="segment",
        addresses=(*[f"/v1/{name}" for name in (*KINDS, *SHORT)], "/beacon/v1/batch"),
        translate=translation_steps,
        answer=taken,
        refuse=refused,
        most_bytes=LARGE_BODY,  # clients drop a batch that is refused as too large
        headers=(b"anonymousid", b"sentat", *RETRIES),
        key_parameters=("writeKey",),
        operations=operations.CALLS,
    ),
    Configuration(
        protocol="segment",
        addresses=(SETTINGS,),
        key=partial(key_of_path, SETTINGS),
        answer=settings,
        operations=(operations.SETTINGS,),
    ),
    Configuration(
        protocol="segment",
        addresses=("/sourceConfig",),
        key=key_of_configuration,
        answer=source_configuration,
        operations=(operations.SOURCE_CONFIGURATION,),
    ),
    # Figures of the browser client about itself, which name no source. They are dropped.
    Configuration(
        protocol="segment",
        addresses=("/v1/m",),
        key=None,
        answer=lambda *_: TAKEN,
        methods=("POST",),
        operations=(operations.FIGURES,),
    ),
)
