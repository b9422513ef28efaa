"""`/metrics`: what a scraper reads of an application."""

from collections.abc import Iterable
from typing import Any

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import Serve
from tests.projects import project

FLOW = """
flow: order
trigger: {event: order}
nodes:
  big: {if: event.properties.total > 10, next: {then: pay}}
  pay: {fail: the total is too large}
"""
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def values(families: Iterable[Metric], *, zeros: bool = False) -> dict[str, float]:
    """The samples, by name and labels as `name{label=value}`; those of zero only if asked for."""
    found = {}
    for family in families:
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            if sample.value or zeros:
                found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return found


async def read(client: Any, *, zeros: bool = False) -> dict[str, float]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return values(text_string_to_metric_families(answer.text), zeros=zeros)


def payload(*events: Any) -> dict[str, Any]:
    return {"source": {"id": "shop"}, "session": {"id": "s"}, "events": list(events)}


def order(total: Any, **more: Any) -> dict[str, Any]:
    return {"type": "order", "properties": {"total": total}, **more}


async def test_events_and_runs_are_counted_where_they_ended(serve: Serve) -> None:
    client = await serve(project(FLOW))
    await client.post("/track", json=payload(order(5, id="a"), order(20)))
    await client.post("/track", json=payload(order(5, id="a"), {"type": ""}))
    found = await read(client)
    expected = {
        "headrace_events_total{end=stored}": 2,
        "headrace_events_total{end=duplicate}": 1,
        "headrace_events_total{end=rejected}": 1,
        "headrace_runs_total{flow=order,outcome=finished}": 1,
        "headrace_runs_total{flow=order,outcome=failed}": 1,
        "headrace_node_failures_total{flow=order,node=pay}": 1,
        "headrace_answers_total{status=2xx}": 2,
        "headrace_store_up": 1,
    }
    assert expected.items() <= found.items(), found
    assert found["headrace_commit_duration_seconds_count"] == found["headrace_commit_duration_seconds_bucket{le=+Inf}"]


async def test_a_refused_request_is_counted_by_its_status(serve: Serve) -> None:
    client = await serve(project(FLOW))
    await client.post("/track", content=b"{", headers={"content-type": "application/json"})
    assert (await read(client))["headrace_answers_total{status=4xx}"] == 1


async def test_values_of_labels_are_names_of_the_project_and_no_data_of_senders(serve: Serve) -> None:
    client = await serve(project(FLOW))
    hostile = {"type": "ann@example.com", "id": "ann", "properties": {"total": "ann"}}
    await client.post("/track", json=payload(hostile, order("ann")))
    text = (await client.get("/metrics")).text
    assert "ann" not in text


@pytest.mark.parametrize(
    ("accept", "parse"), [("*/*", text_string_to_metric_families), (OPEN_METRICS, open_metrics)], ids=["text", "open"]
)
async def test_each_family_has_a_help_and_a_type_and_a_name_by_the_rules(serve: Serve, accept: str, parse: Any) -> None:
    client = await serve(project(FLOW))
    answer = await client.get("/metrics", headers={"accept": accept})
    families = list(parse(answer.text))
    assert len(families) > 20
    for family in families:
        assert family.name.startswith("headrace_")
        assert family.documentation, family.name
        assert family.type in {"counter", "gauge", "histogram"}, family.name
        if family.samples:  # there is no target of which look-ups are counted
            buckets = [sample for sample in family.samples if sample.name.endswith("_bucket")]
            assert (family.type == "histogram") == bool(buckets), family.name
        for sample in family.samples:
            assert (family.type == "counter") == sample.name.endswith("_total"), sample


async def test_a_request_without_a_key_is_refused(serve: Serve) -> None:
    client = await serve(project(FLOW), stranger=True)
    assert (await client.get("/metrics")).status_code == 401
