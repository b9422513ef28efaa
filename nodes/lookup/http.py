import re
from typing import Annotated, Any, Literal

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
from nodes.request import HEADER, encoded_path, header_defect, literal_path_defect, path_defect

_PART = r"^[^.]+(?:\.[^.]+)*$"
_SUBSCRIPT = re.compile(r"\[['\"]?(-?\w+)['\"]?\]")


def _literal_take_defect(text: str) -> tuple[str, str]:
    """The defect of a part of a response that is written with brackets, and the remedy; two empty texts without one."""
    if not _SUBSCRIPT.search(text):
        return "", ""
    dotted = _SUBSCRIPT.sub(r".\1", text)
    return "has brackets: names and positions are joined by dots", f"write `{dotted}`"


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
        Checked(literal_path_defect),
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
        dict[Annotated[str, Meta(pattern=HEADER)], Text],
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
        reason = path_defect(self.path) or header_defect(self.headers)
        if reason:
            return self.failed(reason=reason)
        return HttpAsk(
            self.target,
            self.method,
            encoded_path(self.path),
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
