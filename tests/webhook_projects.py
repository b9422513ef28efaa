"""Projects with webhooks, written as files and loaded."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from engine.project.project import Project
from flows.project import load_project
from nodes import builtin

SOURCE = "source: shop\naccepts: []\nidentify: trust\n"
SETTINGS = "identity: {user: traits.user_id}\n"


def webhook_project(
    root: Path,
    *webhooks: str,
    source: str = SOURCE,
    files: Mapping[str, str] = {},
    environment: Mapping[str, str] = {},
) -> Project:
    """A project with these webhooks on the source `shop`, and other `files` by their names. It has no errors."""
    written = {"headrace.yaml": SETTINGS, "sources/shop.yaml": source, **files}
    written |= {f"webhooks/{number}.yaml": text for number, text in enumerate(webhooks)}
    for name, text in written.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    loaded = load_project(root, builtin(), environment)
    assert not loaded.failed, [f"{one.file}:{one.line} {one.message}" for one in loaded.diagnostics]
    return loaded.project
