"""The pages for authors and client developers: every example in them loads, and the tables match the code."""

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import yaml
from msgspec import Struct

from engine.language.functions import FILTERS, FUNCTIONS
from engine.language.signature import Function
from flows.diagnostic import render
from flows.project import LoadedProject, load_project
from nodes import builtin

ROOT = Path(__file__).parents[2]
LINKED = sorted(
    {str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]}
    | {"flows/starter/README.md"}
)
PAGES = (
    "README.md",
    "docs/deliveries.md",
    "docs/flows.md",
    "docs/profiles.md",
    "docs/schedules.md",
    "docs/schemas.md",
    "docs/segments.md",
    "docs/tracking.md",
    "docs/waits.md",
)
NAMES: dict[str, str] = {
    "headrace.yaml": (
        "targets:\n  crm: {url: https://crm.example}\n  catalogue: {url: https://catalogue.example}\n"
        "  partner: {url: https://partner.example, secret: '${env:PARTNER_SECRET}'}\n"
        "  mail: {url: smtp://mail.example, sender: shop@shop.example}\n  team: {url: '${env:SLACK_URL}'}\n"
        "  erp: {url: https://erp.example}\n"
        "keys: {traits.customer: {exclusive: true}}\ngeo: {database: GeoLite2-City.mmdb}\n"
        "hash_keys: {partner: '${env:PARTNER_KEY}'}\n"
    ),
    "GeoLite2-City.mmdb": "",
    "segments/vip.yaml": "segment: vip\nmanual: true\n",
    "segments/subscribers.yaml": "segment: subscribers\nmanual: true\n",
    "flows/counting.yaml": "flow: counting\ntrigger: {event: order}\nnodes: {count: {profile.count: orders}}\n",
    "sources/web-shop.yaml": "source: web-shop\n",
    "sources/app.yaml": "source: app\nschema: learn\n",
    "sources/coupon-desk.yaml": "source: coupon-desk\n",
}
SECRETS = {
    "CRM_TOKEN": "a token of the test",
    "MAIL_PASSWORD": "a password of the test",
    "PARTNER_SECRET": "whsec_c2hvcHNob3BzaG9wc2hvcHNob3BzaG9w",
    "SHOP_USER_SECRET": "x" * 32,
    "PARTNER_KEY": "x" * 32,
    "SLACK_URL": "https://hooks.slack.example/T0/B0",
}
WRAPPED = "flow: example\ntrigger: {event: example}\n"

_BLOCK = re.compile(
    r"(?P<refused><!-- refused -->\n)?```yaml\n(?P<yaml>.*?)```\n(?:\n```text\n(?P<report>.*?)```)?", re.DOTALL
)


class Example(Struct, frozen=True):
    """A block of YAML in a page. `report` is the output of `check` that the page shows."""

    text: str
    refused: bool
    report: str


def examples() -> Iterator[Any]:
    for page in PAGES:
        text = (ROOT / page).read_text()
        for found in _BLOCK.finditer(text):
            if "\ncases:" in found["yaml"]:
                continue  # a flow test, which the test of its page plays
            line = text.count("\n", 0, found.start("yaml"))
            example = Example(found["yaml"], found["refused"] is not None, found["report"] or "")
            yield pytest.param(example, id=f"{page}:{line}")


def load(text: str, root: Path) -> LoadedProject:
    """Return a project with the example as a file of its kind, and the files that the example names."""
    name, content = placed(text)
    for path, file in {**NAMES, name: content}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(file)
    return load_project(root, builtin(), SECRETS)


def placed(text: str) -> tuple[str, str]:
    """Return the path and the text of the file that an example is, or is a part of."""
    first, _, rest = text.partition(":")
    match first:
        case "flow":
            return "flows/example.yaml", text
        case "segment" | "source" | "schema":
            return f"{first}s/{rest.partition(chr(10))[0].strip()}.yaml", text
        case "nodes":
            return "flows/example.yaml", WRAPPED + text + missing(text)
        case "trigger":
            return "flows/example.yaml", "flow: example\n" + text + "nodes: {note: {log: hello}}\n"
    return "headrace.yaml", text


def missing(text: str) -> str:
    """Return a `start` for the nodes of an example that no other node leads to."""
    nodes = yaml.safe_load(text)["nodes"]
    targets: set[str] = set()
    for node in nodes.values():
        given = node.get("next", [])
        for one in given.values() if isinstance(given, dict) else [given]:
            targets |= set(one) if isinstance(one, list) else {one}
    return f"start: [{', '.join(id for id in nodes if id not in targets)}]\n"


@pytest.mark.parametrize("example", list(examples()))
def test_every_example_loads_or_fails_as_the_page_says(example: Example, tmp_path: Path) -> None:
    loaded = load(example.text, tmp_path)
    report = render(loaded.diagnostics, loaded.sources, colour=False)
    assert loaded.failed == example.refused, report
    assert example.refused or not loaded.diagnostics, report
    assert example.report.rstrip() in report


@pytest.mark.parametrize(
    ("heading", "functions"), [("| filter | returns |", FILTERS), ("| function | returns |", FUNCTIONS)], ids=str
)
def test_the_tables_have_every_filter_and_function(heading: str, functions: dict[str, Function]) -> None:
    page = (ROOT / "docs" / "flows.md").read_text()
    table = page.partition(heading)[2].partition("\n\n")[0].strip()
    assert table == "|---|---|\n" + "\n".join(map(row, functions.values()))


def row(function: Function) -> str:
    return f"| `{function.usage.removeprefix('value | ')}` | {function.text} |"


@pytest.mark.parametrize("page", LINKED)
def test_every_link_within_the_repository_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        path, _, anchor = target.partition("#")
        found = (ROOT / page).parent / path if path else ROOT / page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found.read_text()), target


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {anchor(heading) for heading in headings}


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", LINKED)
def test_every_row_is_in_a_table_and_every_section_in_the_contents(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip().splitlines()
        rows = [line for line in lines if line.endswith(" |")]
        assert not rows or re.fullmatch(r"[-|: ]+", lines[1]), rows[0]
    contents = re.findall(r"^- \[.*\]\(#(.+)\)$", text, re.MULTILINE)
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert not contents or contents == [anchor(section) for section in sections]


def test_indented_examples_are_not_overlooked() -> None:
    for page in PAGES:
        assert indent("```yaml", "  ") not in (ROOT / page).read_text(), page
