"""Extends schemathesis: bodies that it cannot write, and keys and signatures that it cannot know."""

import hashlib
import json
import os

import schemathesis

SECRET = os.environ["PRODUCT_SECRET"].encode()
TILL = os.environ["TILL_KEY"]
SENDER = {"session": {"id": "s-1"}, "profile": None, "visitor": None, "user": None, "userToken": None}
OF_SECRET_SOURCES = {"/event/bulk", "/event/bulk/commit", "/event/copy", "/user/batch_operations"}


@schemathesis.serializer("application/x-ndjson", "application/x-rawjson")
def lines_of_json(ctx, value):
    """Write lines of JSON, of which it has made one."""
    return value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()


@schemathesis.serializer("application/avro")
def avro(ctx, value):
    """Write any bytes: what is no file of Avro is refused."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def map_body(ctx, body):
    """Name the source, which no request without it is read beyond, in nine of ten bodies."""
    operation = ctx.operation.definition.raw.get("operationId", "")
    if isinstance(body, dict) and len(json.dumps(body, default=str)) % 10:
        if operation in {"trackEvents", "giveConsent"}:
            return {**body, "source": {"id": "shop"}, **SENDER}
        if operation.startswith("postHog"):
            return {**body, "api_key": "shop"}
        if ctx.operation.path in OF_SECRET_SOURCES:
            return {**body, "api": {"api_key": TILL}}
    return body


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Add the keys of other sources than the one of all examples, and sign what goes to Traintracks' addresses."""
    if case.path in OF_SECRET_SOURCES:
        case.headers["write_key"] = TILL
    elif case.path.startswith("/event/hook/"):
        case.headers["write_key"] = "payments"
    elif case.path in {"/v1", "/v1/events"} and case.body is not None:
        body = json.dumps(case.body, default=str).encode()
        case.headers["X-Product-Auth"] = hashlib.md5(body + SECRET, usedforsecurity=False).hexdigest()
        kwargs["data"] = body
        kwargs.pop("json", None)
