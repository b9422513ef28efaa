"""The dashboard and the alert rules: they name metrics and labels that a server has."""

import json
import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

import pytest
import yaml
from litestar.testing import AsyncTestClient
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from engine.tracking.unit.families import FAMILIES, WORKS, Names
from storage.memory import MemoryStore
from tests.docs.page import ROOT
from tests.projects import project

RULES: Final = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())
BOARD: Final = json.loads((ROOT / "deploy" / "grafana" / "headrace.json").read_text())
ALERTS: Final = [rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule]
RECORDS: Final = [rule for group in RULES["groups"] for rule in group["rules"] if "record" in rule]
OF_SCRAPES: Final = {"instance", "job"}  # labels that Prometheus adds
FUNCTIONS: Final = {
    *("sum", "min", "max", "rate", "increase", "histogram_quantile", "topk", "time", "label_values"),
    *("by", "without", "and"),
}
TOKEN: Final = re.compile(r'"(?:\\.|[^"\\])*"|\$?[A-Za-z_][\w:]*|[\d.]+[smhd]?|=~|!~|!=|==|>=|<=|\S')


def tokens(expression: str) -> list[str]:
    return TOKEN.findall(expression)


def expressions() -> Iterator[tuple[str, str]]:
    """Each expression, with the name of its rule or panel."""
    for rule in [*ALERTS, *RECORDS]:
        yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]


def selectors(found: list[str]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield each metric of an expression with the labels by which it is chosen, and their values."""
    for at, token in enumerate(found):
        if not (token.startswith("headrace") or token == "up"):
            continue
        chosen: list[tuple[str, str]] = []
        if found[at + 1 : at + 2] == ["{"]:
            inner = found[at + 2 : found.index("}", at)]
            chosen = [(inner[place], inner[place + 2].strip('"')) for place in range(0, len(inner), 4)]
        yield token, chosen


def grouped(found: list[str]) -> set[str]:
    """The labels of all `by (…)` and `without (…)`."""
    labels = set()
    for at, token in enumerate(found):
        if token in {"by", "without"}:
            labels |= set(found[at + 2 : found.index(")", at)]) - {","}
    return labels


@pytest.fixture(scope="module")
def known() -> dict[str, dict[str, set[str]]]:
    """The labels of each sample that a server has, by its name, with their fixed values; an empty set is for any."""
    names = Names(("flow",), (("flow", "node"),), ("target",))
    found: dict[str, dict[str, set[str]]] = {"up": {}, "headrace:events_received": {}}
    for family in FAMILIES:
        values = list(family.values(names))
        labels = {label: {each[at] for each in values} for at, label in enumerate(family.labels)}
        for free in {"flow", "node", "target"} & labels.keys():
            labels[free] = set()
        suffixes = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}[family.kind]
        for suffix in suffixes:
            found[f"headrace_{family.name}{suffix}"] = labels | ({"le": set()} if suffix == "_bucket" else {})
    return found


@pytest.fixture
async def all_known(known: dict[str, dict[str, set[str]]]) -> dict[str, dict[str, set[str]]]:
    """The same with what only a server that runs can say."""
    key = {"authorization": "Bearer the-key-of-the-tests"}
    async with AsyncTestClient(create_app(project(), MemoryStore(), admin_key="the-key-of-the-tests")) as client:
        text = (await client.get("/metrics", headers=key)).text
    scraped = {
        sample.name: {label: set[str]() for label in sample.labels}
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    return scraped | known


@pytest.mark.parametrize(("name", "expression"), [pytest.param(*each, id=each[0]) for each in expressions()])
async def test_an_expression_names_metrics_and_labels_that_a_server_has(
    all_known: dict[str, dict[str, set[str]]], name: str, expression: str
) -> None:
    found = tokens(expression)
    assert found.count("(") == found.count(")")
    used = list(selectors(found))
    assert used, "it has a metric"
    labels: set[str] = set()
    for metric, chosen in used:
        assert metric in all_known, metric
        labels |= all_known[metric].keys()
        for label, value in chosen:
            assert label in all_known[metric].keys() | OF_SCRAPES, (metric, label)
            fixed = all_known[metric].get(label)
            assert not fixed or set(value.split("|")) <= fixed, (metric, label, value)
    assert grouped(found) <= labels | OF_SCRAPES
    words = {token for token in found if re.fullmatch(r"[a-z_]+", token)}
    others = words - FUNCTIONS - {metric for metric, _ in used} - labels - OF_SCRAPES
    assert not others, "words that are neither functions nor metrics nor labels"


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_has_happened_and_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert set(rule["annotations"]) == {"summary", "remedy"}
    shown = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    aggregates = any(token in {"sum", "histogram_quantile"} for token in tokens(rule["expr"]))
    assert shown <= (grouped(tokens(rule["expr"])) if aggregates else shown)


def test_names_of_alerts_are_distinct() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(set(names)) == len(names)


def test_panels_have_places_of_their_own_and_a_legend_of_labels_that_are_there() -> None:
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert apart or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"], (one, other)
    for panel in panels:
        for target in panel["targets"]:
            shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert shown <= grouped(tokens(target["expr"])), panel["title"]


def test_the_tokenizer_reads_what_the_rules_have() -> None:
    expression = 'sum by (a, le) (rate(headrace_x_total{b="c,}d", e=~"f|g"}[5m])) / 2 > 0.05'
    found = tokens(expression)
    assert list(selectors(found)) == [("headrace_x_total", [("b", "c,}d"), ("e", "f|g")])]
    assert grouped(found) == {"a", "le"}
    assert "5m" in found


def test_works_of_alerts_are_works_of_the_server() -> None:
    named = re.findall(r'task=~"([^"]+)"', str([rule["expr"] for rule in ALERTS]))
    assert named
    assert {work for text in named for work in text.split("|")} <= set(WORKS)
