from typing import Annotated, Final

from msgspec import Meta

from engine.flow.ask import Ask, GeoAsk, GeoReply, Reply, refusal
from engine.flow.node import Node, NodeContext, Outcome, Port, Sole, Text
from engine.language.kinds import A_NUMBER, A_TEXT, OBJECT, Shape

_TEXTS: Final = (
    "continent", "country", "country_name", "region", "region_name", "city", "postal_code", "timezone",
)  # fmt: skip
_NUMBERS: Final = ("latitude", "longitude", "radius_km")


class GeoLookup(Node, frozen=True, tag="geo.lookup"):
    """Find the place of an IP address in a local database.

    The database is a file in MaxMind's format (MMDB), such as GeoLite2 City, which `geo:` in headrace.yaml names. No
    request is sent. `/track` does not record the address of a sender: the event brings it. The output has what the
    database knows of `continent`, `country`, `region` (codes such as `EU`, `DE`, `BE`), `country_name`, `region_name`,
    `city`, `postal_code`, `timezone`, `latitude`, `longitude` and `radius_km`.
    """

    address: Annotated[Text, Sole(), Meta(description="The IP address", examples=["{{ event.context.ip }}"])]

    output = Shape(OBJECT, {**dict.fromkeys(_TEXTS, A_TEXT), **dict.fromkeys(_NUMBERS, A_NUMBER)})
    examples = (
        """\
place:
  geo.lookup: "{{ event.context.ip | default('') }}"
""",
    )

    found = Port("The database has the address; what it knows is the node's output", main=True)
    missing = Port("It does not have it, such as a private address, or the text is no address")

    def ask(self, context: NodeContext) -> Ask | Outcome:
        """Ask the database."""
        return GeoAsk(self.address.strip()) if self.address.strip() else self.missing(reason="no address")

    def answer(self, context: NodeContext, reply: Reply) -> Outcome:
        """Leave with the place."""
        if not isinstance(reply, GeoReply):
            return self.failed(reason=refusal(reply))
        if reply.place is None:
            return self.missing(reason="the database does not have this address")
        return self.found(reply.place)
