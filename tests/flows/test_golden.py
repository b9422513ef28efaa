"""One small project per mistake, and the report that its author sees.

`HEADRACE_UPDATE=1` rewrites the reports; read the difference before you commit it.
"""

import os
from pathlib import Path

import pytest

from engine.flow.registry import Registry
from flows.cases import load_cases
from flows.diagnostic import render
from flows.project import load_project
from nodes import builtin

MISTAKES = sorted(path for path in (Path(__file__).parent / "golden").iterdir() if path.is_dir())


@pytest.fixture(scope="module")
def registry() -> Registry:
    return builtin()


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda path: path.name)
def test_the_report_of_a_mistake_is_the_expected_one(mistake: Path, registry: Registry) -> None:
    loaded = load_project(mistake, registry, environment={})
    cases = load_cases(mistake, loaded)
    diagnostics, sources = (*loaded.diagnostics, *cases.diagnostics), {**loaded.sources, **cases.sources}
    report = render(diagnostics, sources, colour=False)
    expected = mistake / "report.expected"
    if os.environ.get("HEADRACE_UPDATE"):
        expected.write_text(report)
    assert report == expected.read_text()


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda path: path.name)
def test_every_mistake_is_reported(mistake: Path, registry: Registry) -> None:
    loaded = load_project(mistake, registry, environment={})
    assert loaded.diagnostics or load_cases(mistake, loaded).diagnostics
