"""The warnings about a source whose protocol names users, for which the project has no key or the source no trust."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from flows.project import load_project
from nodes import builtin

SOURCE = {"sources/shop.yaml": "source: shop\naccepts: [track, rakam]\n"}


def codes(root: Path, files: Mapping[str, str]) -> list[str]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [diagnostic.code for diagnostic in load_project(root, builtin(), {}).diagnostics]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, ["H433"], id="without settings"),
        pytest.param({"headrace.yaml": "name: shop\n"}, ["H433"], id="without a key"),
        pytest.param({"headrace.yaml": "identity: {user: traits.user_id}\n"}, [], id="with a key"),
        pytest.param({"headrace.yaml": "identity: {user: 5}\n"}, ["H404"], id="with a key that has an error"),
        pytest.param({"sources/shop.yaml": "source: shop\nenabled: false\naccepts: [rakam]\n"}, [], id="if disabled"),
        pytest.param({"sources/shop.yaml": "source: shop\naccepts: [track]\n"}, [], id="for Headrace's own protocol"),
        pytest.param({"sources/shop.yaml": "source: shop\n"}, [], id="by default"),
    ],
)
def test_a_source_that_names_users_needs_a_key_for_them(
    tmp_path: Path, files: Mapping[str, str], expected: list[str]
) -> None:
    assert codes(tmp_path, {**SOURCE, **files}) == expected


@pytest.mark.parametrize(
    ("source", "settings", "expected"),
    [
        pytest.param(
            "accepts: [segment]\nidentify: refuse", "identity: {user: traits.user_id}", ["H435"], id="refused"
        ),
        pytest.param(
            "accepts: [segment]\nidentify: refuse", "name: shop", ["H433"], id="without a key, which is first"
        ),
        pytest.param("accepts: [segment]\nidentify: link", "identity: {user: traits.user_id}", [], id="claimed"),
        pytest.param("accepts: [track]\nidentify: refuse", "identity: {user: traits.user_id}", [], id="only /track"),
    ],
)
def test_a_source_of_other_systems_clients_that_refuses_users_is_reported(
    tmp_path: Path, source: str, settings: str, expected: list[str]
) -> None:
    files = {"sources/shop.yaml": f"source: shop\n{source}\n", "headrace.yaml": f"{settings}\n"}
    assert codes(tmp_path, files) == expected
