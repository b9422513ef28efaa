from typing import Annotated, Any, Literal

from msgspec import Meta, field

from engine.flow.message import HttpMessage, Message
from engine.flow.node import Fixed, Hidden, NodeContext, Text
from engine.profile.document import Scalar
from nodes.delivery import Delivery, Path
from nodes.request import HEADER, encoded_path, header_defect, path_defect

_RESERVED = frozenset({"idempotency-key"})  # it is the id of the delivery


class DeliverHttp(Delivery, frozen=True, kw_only=True, tag="deliver.http"):
    """Send an HTTP request to a target after the event is committed.

    The run does not wait for the answer. A request that fails is sent again for days, each time with the same
    `Idempotency-Key`, so that a receiver which remembers the key takes it once. Values of templates in `path` and
    `query` are percent-encoded.
    """

    method: Annotated[
        Literal["POST", "PUT", "PATCH", "DELETE", "GET"],
        Fixed(),
        Meta(description="The HTTP method", examples=["PUT"]),
    ] = "POST"
    path: Path = "/"
    query: Annotated[
        dict[str, Scalar | list[Scalar]],
        Meta(description="Query parameters by name; a list repeats the parameter, null omits it", examples=[{"v": 2}]),
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

    examples = (
        """\
paid:
  deliver.http:
    target: crm
    path: "/orders/{{ event.properties.order_id }}"
    body: {total: "{{ event.properties.total }}"}
""",
        """\
tier:
  deliver.http: {target: crm, method: PUT, path: /tier, body: {tier: gold}, order: profile, after: 10m}
""",
    )

    def message(self, context: NodeContext) -> Message | str:
        """Return the request, or why its path or a header is not safe to send."""
        if reason := path_defect(self.path) or header_defect(self.headers, _RESERVED):
            return reason
        query = {name: value for name, value in self.query.items() if value is not None}
        return HttpMessage(self.method, encoded_path(self.path), query, self.headers, self.body)
