"""How a trace lists an ask and its reply: short, and without secrets or key values."""

from engine.flow.ask import (
    Ask,
    CacheGet,
    CacheReply,
    GeoAsk,
    GeoReply,
    HttpAsk,
    HttpReply,
    NoAnswer,
    ProfileById,
    ProfileByKey,
    ProfileReply,
    ProfilesByKeys,
    ProfilesReply,
    Reply,
    SessionById,
    SessionReply,
    WaitAsk,
    WaitReply,
)
from engine.flow.run import TracedCall
from engine.language.duration import show_duration


def trace_call(ask: Ask, reply: Reply, attempt: int, at_ms: int = 0) -> TracedCall:
    """The ask and its reply as a line of a trace; `at_ms` is when it was sent, since the node began to ask."""
    kind, text = _describe_ask(ask, reply)
    return TracedCall(kind, text, _describe_reply(reply), attempt, int(getattr(reply, "took_ms", 0)), at_ms)


def _describe_ask(ask: Ask, reply: Reply) -> tuple[str, str]:
    """The kind of the ask and its text. The URL is that of the reply, which has its secrets redacted."""
    match ask:
        case HttpAsk():
            url = reply.url if isinstance(reply, HttpReply | NoAnswer) and reply.url else f"{ask.target}:{ask.path}"
            return "http", f"{ask.method} {url}"
        case ProfileById():
            return "profile", f"by id {ask.id}"
        case ProfileByKey():
            return "profile", f"by {ask.path}"
        case ProfilesByKeys(keys=keys):
            return "profile", "by " + " or ".join(path for path, *_ in keys)
        case CacheGet():
            return "cache", ask.key
        case SessionById():
            return "session", f"by id {ask.id}"
        case GeoAsk():
            return "geo", "by address"
        case WaitAsk(until=until, on=on):
            return "wait", " or ".join([*on, *([f"until {until}"] if until is not None else [])])


def _describe_reply(reply: Reply) -> str:
    match reply:
        case HttpReply():
            return _describe_response(reply)
        case NoAnswer():
            return f"no answer: {reply.reason}"
        case ProfileReply():
            return _describe_profile(reply)
        case ProfilesReply(found=replies):
            return ", ".join(map(_describe_profile, replies))
        case CacheReply():
            return "hit" if reply.hit else "miss"
        case GeoReply(place=place):
            return "none" if place is None else str(place.get("country", "a place"))
        case WaitReply(awaited=awaited):
            return "the time has come" if awaited is None else f"event {awaited['id']}"
        case SessionReply():
            return "none" if reply.session is None else "found" if reply.version else "new"


def _describe_response(reply: HttpReply) -> str:
    if reply.age_ms is None:
        return str(reply.status)
    age = show_duration(reply.age_ms if reply.age_ms < 1_000 else reply.age_ms // 1_000 * 1_000)
    since = f", as there is no newer one: {reply.stale}" if reply.stale else ""
    return f"{reply.status}, an answer of {age} ago{since}"


def _describe_profile(reply: ProfileReply) -> str:
    return f"profile {reply.profile.id}" if reply.profile else "no profile"
