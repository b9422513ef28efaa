import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote

from msgspec import Meta, field

from engine.flow.ask import Ask, HttpAsk, HttpReply, Reply, refusal
from engine.flow.node import (
    Checked,
    Duration,
    Fixed,
    Hidden,
    Node,
    NodeContext,
    Outcome,
    PercentEncoded,
    Port,
    Reference,
    Text,
)
from engine.language.absent import ABSENT
from engine.language.kinds import ANYTHING
from engine.language.path import read
from engine.profile.document import Scalar

_NOT_IN_PATH = re.compile(r"[\\?#]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LITERAL = "/%!$&'()*+,;=:@~"  # not percent-encoded in a path (RFC 3986); % since the path may have escapes
_PART = r"^[^.]+(?:\.[^.]+)*$"
_SUBSCRIPT = re.compile(r"\[['\"]?(-?\w+)['\"]?\]")
_HEADER = r"^[A-Za-z0-9][A-Za-z0-9-]*$"
_TEMPLATE = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_RESERVED = frozenset({"host", "content-length", "transfer-encoding", "connection"})  # the performer sets them


def _literal_path_defect(path: str) -> tuple[str, str]:
    """Why a path as it is written can never be sent, and the remedy; two empty texts when it can.

    Values of templates are percent-encoded, so a letter stands for each of them.
    """
    literal = _TEMPLATE.sub("x", path)
    if "://" in literal:
        return (
            "is an address: the host is that of the target",
            "write only the part behind the target's url, from its `/`",
        )
    if not literal.startswith("/"):
        return "does not begin with `/`", f"write `/{path}`"
    if "?" in literal:
        return (
            "has a `?`: parameters have a field of their own",
            "write them below `query:`, e.g. `query: {name: value}`",
        )
    if "#" in literal:
        return "has a `#`, which is never sent", "delete it with what follows; write `%23` for the character itself"
    if "//" in literal:
        return "has an empty part (`//`)", "write one `/`"
    if _bad_path(literal):
        return "leads out of the target's url by a part `.` or `..`, or has a backslash", "write the path without it"
    return "", ""


def _literal_take_defect(text: str) -> tuple[str, str]:
    """The defect of a part of a response that is written with brackets, and the remedy; two empty texts without one."""
    if not _SUBSCRIPT.search(text):
        return "", ""
    dotted = _SUBSCRIPT.sub(r".\1", text)
    return "has brackets: names and positions are joined by dots", f"write `{dotted}`"


def _bad_path(path: str) -> str:
    """The reason why the path is not safe to send; empty when it is."""
    if not path.startswith("/") or path.startswith("//"):
        return f"the path `{path}` does not begin with one `/`"
    decoded = unquote(path)  # as a server might decode it before it splits the path
    if _NOT_IN_PATH.search(path) or _CONTROL.search(decoded):
        return f"the path `{path}` has a character that a path cannot have (parameters go into `query`)"
    if not {".", ".."}.isdisjoint(re.split(r"[/\\]", decoded)):
        return f"the path `{path}` has a part `.` or `..`"
    return ""


class LookupHttp(Node, frozen=True, tag="lookup.http"):
    """Send an HTTP request to a target and read its response.

    Values of templates in `path` and `query` are percent-encoded, so they can neither add segments to the path nor end
    it. Two requests are equal if target, method, path, query, headers and body are. Answers are kept in the memory of
    one process, and all of them are dropped when a profile is forgotten.
    """

    target: Annotated[
        str,
        Fixed(),
        Reference("target"),
        Meta(description="The name of the target in headrace.yaml, which defines the host", examples=["crm"]),
    ]
    method: Annotated[
        Literal["GET", "POST", "PUT"], Fixed(), Meta(description="The HTTP method", examples=["POST"])
    ] = "GET"
    path: Annotated[
        Text,
        PercentEncoded(),
        Checked(_literal_path_defect),
        Meta(description="The path below the target's address", examples=["/customers/{{ profile.id }}"]),
    ] = "/"
    query: Annotated[
        dict[str, Scalar | list[Scalar]],
        Meta(
            description="Query parameters by name; a list repeats the parameter, null omits it",
            examples=[{"fields": "tier"}],
        ),
    ] = field(default_factory=dict)
    headers: Annotated[
        dict[Annotated[str, Meta(pattern=_HEADER)], Text],
        Hidden(),
        Meta(description="Headers, in addition to those of the target", examples=[{"Accept-Language": "en"}]),
    ] = field(default_factory=dict)
    body: Annotated[
        Any,
        Meta(description="The body of the request, as JSON; null sends none", examples=[{"id": "{{ profile.id }}"}]),
    ] = None
    take: Annotated[
        Annotated[str, Meta(pattern=_PART)] | None,
        Fixed(),
        Checked(_literal_take_defect),
        Meta(
            description="The part of the response to output: names and positions joined by dots. Default: all of it",
            examples=["customer.tier", "items.0.sku"],
        ),
    ] = None
    cache: Annotated[
        Duration,
        Meta(description="How long the answer (200 to 299, 404, 410) serves equal requests as well", examples=["10m"]),
    ] = 0
    stale: Annotated[
        Duration,
        Meta(
            description="How much longer it serves when the target has no usable answer; the trace says so",
            examples=["1d"],
        ),
    ] = 0
    share: Annotated[
        bool | None,
        Fixed(),
        Meta(
            description="Whether of equal requests at the same time one is sent. "
            "Default: true if the method is GET, or with `cache` or `stale`",
            examples=[False],
        ),
    ] = None

    examples = (
        """\
crm:
  lookup.http: {target: crm, path: "/customers/{{ profile.id }}"}
""",
        """\
score:
  lookup.http:
    target: crm
    method: POST
    path: /scores
    query: {model: basic}
    body: {total: "{{ event.properties.total }}"}
    take: result.score
""",
        """\
rates:
  lookup.http: {target: crm, path: "/rates/{{ event.properties.currency }}", cache: 10m, stale: 1d}
""",
    )

    may_fail = True
    output = ANYTHING

    found = Port("The status is 200 to 299; the body of the response is the node's output", main=True)
    missing = Port("The target has no such resource (404 or 410; 204, or 200 without a body, to a GET)")

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask the target; leave by `failed` when the path or a header is not safe to send."""
        reason = _bad_path(self.path) or _bad_header(self.headers)
        if reason:
            return self.failed(reason=reason)
        return HttpAsk(
            self.target,
            self.method,
            quote(self.path, safe=_LITERAL),
            {name: value for name, value in self.query.items() if value is not None},
            self.headers,
            self.body,
            share=self.share if self.share is not None else self.method == "GET" or self.cache + self.stale > 0,
            cache_ms=self.cache,
            stale_ms=self.stale,
        )

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Choose the port by the status of the response."""
        if not isinstance(reply, HttpReply):
            return self.failed(reason=refusal(reply))
        status = f"`{self.target}` answered {reply.status}"
        if reply.status in {404, 410}:
            return self.missing(reason=status)
        if not 200 <= reply.status < 300:
            return self.failed(reason=status)
        if self.method == "GET" and (reply.body is None or reply.status == 204):
            return self.missing(reason=f"{status} without a body")
        old = f"an older answer, since there is no newer one: {reply.stale}" if reply.stale else ""
        if self.take is None:
            return self.found(reply.body, reason=old)
        part = read(reply.body, [int(name) if name.isdecimal() else name for name in self.take.split(".")])
        if part is ABSENT:
            return self.failed(reason=f"{status}, with nothing at `{self.take}`")
        return self.found(part, reason=old)


def _bad_header(headers: Mapping[str, str]) -> str:
    """The reason why the headers cannot be sent; empty when they can."""
    for name, value in headers.items():
        if name.lower() in _RESERVED:
            return f"the header `{name}` cannot be set"
        if not value.isprintable():
            return f"the header `{name}` has a character that is not printable"
    return ""
