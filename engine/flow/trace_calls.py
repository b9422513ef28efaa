"""How an ask and its reply read in a trace: short, and without secrets."""

from engine.flow.ask import (
    Ask,
    CacheGet,
    CacheReply,
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
)
from engine.flow.run import TracedCall


def trace_call(ask: Ask, reply: Reply, attempt: int) -> TracedCall:
    """What was asked and what came back."""
    kind, what = _asked(ask, reply)
    return TracedCall(kind, what, _got(reply), attempt, int(getattr(reply, "took_ms", 0)))


def _asked(ask: Ask, reply: Reply) -> tuple[str, str]:
    match ask:
        case HttpAsk():
            url = reply.url if isinstance(reply, HttpReply | NoAnswer) and reply.url else f"{ask.target}:{ask.path}"
            return "http", f"{ask.method} {url}"
        case ProfileById():
            return "profile", f"by id {ask.id}"
        case ProfileByKey():
            return "profile", f"by {ask.path}"
        case ProfilesByKeys(keys=keys):
            return "profile", "by " + " or ".join(path for path, _ in keys)
        case CacheGet():
            return "cache", ask.key
        case SessionById():
            return "session", f"by id {ask.id}"


def _got(reply: Reply) -> str:
    match reply:
        case HttpReply():
            return str(reply.status)
        case NoAnswer():
            return f"no answer: {reply.reason}"
        case ProfileReply():
            return _whom(reply)
        case ProfilesReply(found=found):
            return ", ".join(map(_whom, found))
        case CacheReply():
            return "hit" if reply.hit else "miss"
        case SessionReply():
            return "none" if reply.session is None else "found" if reply.version else "new"


def _whom(reply: ProfileReply) -> str:
    return f"profile {reply.profile.id}" if reply.profile else "nobody"
