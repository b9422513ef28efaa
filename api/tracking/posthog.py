"""`/batch`, `/e`, `/capture` and their like: the clients of PostHog."""

from functools import partial
from typing import Any, Final

import msgspec

from api.tracking.exchange import Reply
from api.tracking.foreign import LARGE_BODY, Configuration, Endpoint
from api.tracking.keys import KEY, key_of_path
from api.tracking.operations import posthog as operations
from api.tracking.segment import refused
from engine.tracking.foreign.posthog import key_of_question, translation_steps
from engine.tracking.foreign.translation import ForeignRequest
from engine.tracking.pipeline.foreign_processing import Processed

MAX_QUESTION: Final = 65_536  # bytes: questions do not pass the gate, which bounds what is decoded at a time
CONFIGURATION: Final = f"/array/{KEY}/config"
TAKEN: Final = Reply(msgspec.json.encode({"status": 1}))
NO_FLAGS: Final[dict[str, Any]] = {
    "flags": {},
    "featureFlags": {},
    "featureFlagPayloads": {},
    "errorsWhileComputingFlags": False,
}


def taken(_: Processed) -> Reply:
    """Return the answer to a request whose events have been taken or rejected."""
    return TAKEN


def configuration(key: str, _: ForeignRequest) -> Reply:
    """Return the configuration with which PostHog's browser client sends events, and none of its other features."""
    document = {
        "token": key,
        "supportedCompression": ["gzip-js"],
        "hasFeatureFlags": False,
        "analytics": {"endpoint": "/e/"},
        "defaultIdentifiedOnly": True,
        "elementsChainAsString": True,
        "autocaptureExceptions": False,
        "captureDeadClicks": False,
        "capturePerformance": False,
        "heatmaps": False,
        "sessionRecording": False,
        "surveys": False,
        "siteApps": [],
        "toolbarParams": {},
        "isAuthenticated": False,
    }
    return Reply(msgspec.json.encode(document))


def no_flags(*_: object) -> Reply:
    """Return the answer to a question for feature flags: there are none, in the forms of all its versions."""
    return Reply(msgspec.json.encode(NO_FLAGS))


ENDPOINTS: Final = (
    Endpoint(
        protocol="posthog",
        addresses=("/batch", "/e", "/i/v0/e", "/capture"),
        translate=translation_steps,
        answer=taken,
        refuse=refused,
        most_bytes=LARGE_BODY,
        operations=operations.EVENTS,
    ),
    Configuration(
        protocol="posthog",
        addresses=(CONFIGURATION,),
        key=partial(key_of_path, CONFIGURATION),
        answer=configuration,
        operations=(operations.CONFIGURATION,),
    ),
    Configuration(
        protocol="posthog",
        addresses=("/flags", "/decide"),
        key=key_of_question,
        answer=no_flags,
        methods=("POST",),
        most_bytes=MAX_QUESTION,
        operations=operations.QUESTIONS,
    ),
)
