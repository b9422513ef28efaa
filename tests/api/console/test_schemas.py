"""The pages of schemas: fields of events with their types, and how many values they refused."""

from msgspec import structs

from engine.schema.schema import DeclaredField, Schema
from engine.schema.value_type import TYPES
from tests.api.conftest import Serve
from tests.api.console.pages import IMAGE, read
from tests.projects import SHOP, payload, project

LEARN = structs.replace(SHOP, schema="learn")
ORDERS = Schema(
    collection="order",
    description=f"Orders {IMAGE}",
    fields={"total": DeclaredField(type=TYPES["DOUBLE"], description=f"The sum {IMAGE}")},
)


async def test_declared_and_learnt_fields_are_shown(serve: Serve) -> None:
    client = await serve(project(sources=(LEARN,), schemas=(ORDERS,)))
    event = {"id": "o-1", "type": "order", "properties": {"total": "many", "coupon": "X", IMAGE: 1}}
    await client.post("/track", json=payload(event))
    listed = read(await client.get("/console/schemas"))
    assert "1 type of event with typed fields" in listed.text
    assert IMAGE in listed.text
    page = read(await client.get("/console/schemas/order"))
    assert "The sum" in page.text
    assert "DOUBLE declared 1" in page.text
    assert "coupon STRING learnt" in page.text
    assert "/console/events/o-1" in page.links()
    refused = next(link for link in page.links() if link.startswith("/console/rejected?"))
    assert '"many"' in read(await client.get(refused)).text


async def test_without_typed_fields_the_page_says_so(serve: Serve) -> None:
    client = await serve(project())
    assert "No field has a type." in read(await client.get("/console/schemas")).text
    assert "no field of absent is declared or learnt" in read(await client.get("/console/schemas/absent"), 404).text
