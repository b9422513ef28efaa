"""Declared schemas: read into the project, and applied by its sources."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.flow.registry import Registry
from engine.schema.schema import MAX_FIELDS
from flows.project import LoadedProject, load_project
from nodes import builtin

ORDER = "schema: order\ndescription: A paid order.\nfields:\n  total: DOUBLE\n  items: {type: ARRAY_STRING}\n"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return builtin()


def load(root: Path, registry: Registry, files: Mapping[str, str]) -> LoadedProject:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return load_project(root, registry, {})


def source(name: str, **more: str) -> dict[str, str]:
    return {f"sources/{name}.yaml": "\n".join([f"source: {name}", *[f"{key}: {more[key]}" for key in more]]) + "\n"}


def test_a_schema_is_known_by_the_type_of_its_events(tmp_path: Path, registry: Registry) -> None:
    loaded = load(tmp_path, registry, {"schemas/orders.yaml": ORDER, **source("shop", schema="learn")})
    assert loaded.diagnostics == ()
    (schema,) = loaded.project.schemas.values()
    assert (schema.collection, schema.description) == ("order", "A paid order.")
    assert {name: str(field.type) for name, field in schema.fields.items()} == {
        "total": "DOUBLE",
        "items": "ARRAY_STRING",
    }


def test_of_two_schemas_of_one_type_the_first_is_used(tmp_path: Path, registry: Registry) -> None:
    second = ORDER.replace("DOUBLE", "LONG")
    files = {"schemas/a.yaml": ORDER, "schemas/b.yaml": second, **source("shop", schema="learn")}
    loaded = load(tmp_path, registry, files)
    assert [diagnostic.code for diagnostic in loaded.diagnostics] == ["H405"]
    assert str(loaded.project.schemas["order"].fields["total"].type) == "DOUBLE"


def test_a_schema_has_a_limited_number_of_fields(tmp_path: Path, registry: Registry) -> None:
    lines = "".join(f"  f{n}: DOUBLE\n" for n in range(MAX_FIELDS + 1))
    loaded = load(tmp_path, registry, {"schemas/wide.yaml": f"schema: wide\nfields:\n{lines}"})
    assert ["a schema has at most 500" in diagnostic.message for diagnostic in loaded.diagnostics] == [True]
    assert loaded.project.schemas == {}


def test_without_dynamic_schemas_all_are_fixed_but_those_that_say_none(tmp_path: Path, registry: Registry) -> None:
    files = {
        "headrace.yaml": "disable_dynamic_schema: true\n",
        **source("usual"),
        **source("learning", schema="learn"),
        **source("rakam", accepts="[rakam]"),
        **source("without", schema="none"),
    }
    loaded = load(tmp_path, registry, files)
    assert {name: source.schema for name, source in loaded.project.sources.items()} == {
        "usual": "fixed",
        "learning": "fixed",
        "rakam": "fixed",
        "without": "none",
    }


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(
            {**source("app", accepts="[rakam]"), "headrace.yaml": "identity: {user: traits.user_id}\n"},
            id="a source of Rakam's clients",
        ),
        pytest.param(source("app", schema="fixed"), id="a source with a fixed schema"),
        pytest.param({**source("app"), "headrace.yaml": "disable_dynamic_schema: true\n"}, id="the setting"),
    ],
)
def test_a_schema_that_a_source_applies_is_in_order(tmp_path: Path, registry: Registry, files: dict[str, str]) -> None:
    diagnostics = load(tmp_path, registry, {"schemas/order.yaml": ORDER, **files}).diagnostics
    assert [diagnostic for diagnostic in diagnostics if diagnostic.file == "schemas/order.yaml"] == []


def test_a_broken_source_may_be_the_one_that_applies_a_schema(tmp_path: Path, registry: Registry) -> None:
    loaded = load(tmp_path, registry, {"schemas/order.yaml": ORDER, **source("app", schema="fxed")})
    assert [diagnostic.code for diagnostic in loaded.diagnostics] == ["H404"]
