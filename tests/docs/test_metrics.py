"""The page of metrics: its table has every metric of a server. `HEADRACE_UPDATE=1` writes it again."""

import os
from typing import Final

from litestar.testing import AsyncTestClient
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from engine.tracking.unit.families import FAMILIES
from storage.memory import MemoryStore
from tests.docs.page import ROOT
from tests.projects import project

PAGE: Final = ROOT / "docs" / "metrics.md"
HEAD: Final = "| metric | kind | labels | meaning |\n|---|---|---|---|\n"


def row(family: Metric) -> str:
    """The row of a family in the table."""
    metered = [each.labels for each in FAMILIES if f"headrace_{each.name}" == family.name]
    labels = metered[0] if metered else tuple(family.samples[0].labels)
    name = f"{family.name}_total" if family.type == "counter" else family.name
    quoted = ", ".join(f"`{label}`" for label in labels)
    return f"| `{name}` | {family.type} | {quoted} | {family.documentation} |\n"


async def test_the_table_has_every_metric_of_a_server() -> None:
    key = {"authorization": "Bearer the-key-of-the-tests"}
    async with AsyncTestClient(create_app(project(), MemoryStore(), admin_key="the-key-of-the-tests")) as client:
        text = (await client.get("/metrics", headers=key)).text
    families = sorted(text_string_to_metric_families(text), key=lambda family: family.name)
    table = HEAD + "".join([row(family) for family in families])
    before, _, after = PAGE.read_text().partition(HEAD)
    _, blank, rest = after.partition("\n\n")
    page = before + table + (blank[1:] + rest if blank else "")
    if os.environ.get("HEADRACE_UPDATE"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page
