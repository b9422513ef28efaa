"""The ports in the examples: no reader serves Headrace where the example shop expects its CRM."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "flows" / "starter"


def ports_of_targets() -> set[int | None]:
    targets = yaml.safe_load((STARTER / "headrace.yaml").read_text())["targets"]
    return {urlsplit(target["url"]).port for target in targets.values()}


def ports_of_servers(page: str) -> set[int]:
    """The ports of `serve` commands, and the ports to which the page sends requests."""
    text = (ROOT / page).read_text()
    return {int(port) for port in re.findall(r"--port (\d+)|http://127\.0\.0\.1:(\d+)", text) for port in port if port}


@pytest.mark.parametrize("page", ["README.md", "flows/starter/README.md", "docs/operating.md", "docs/tutorial.md"])
def test_no_page_serves_headrace_at_a_port_of_the_example_shops_targets(page: str) -> None:
    served = ports_of_servers(page)
    assert 8686 in served
    assert not served & ports_of_targets()


def test_the_readme_has_an_example_of_another_port() -> None:
    assert re.findall(r"serve shop .*--port (\d+) for another port", (ROOT / "README.md").read_text()) == ["8080"]
