"""Templates for webhooks of other systems, which `headrace init --with` copies into a project.

A template is a folder in `flows/templates`: `webhooks/` and `sources/` are copied as they are, and of its own
`headrace.yaml` the project gets the settings that it does not have.
"""

import re
from collections.abc import Iterable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from msgspec import Struct

from engine.problem import closest
from flows.files import SETTINGS

_FOLDERS: Final = ("sources", "webhooks")
_SECRET: Final = re.compile(r"\$\{env:(\w+)\}")
_DESCRIPTION: Final = re.compile(r"^description: (.+)$", re.MULTILINE)
_KEY: Final = re.compile(r"^(\w+):", re.MULTILINE)


class UnknownTemplate(Exception):
    """There is no template of a name. The message says which ones there are."""


class VendorTemplate(Struct, frozen=True):
    """A template. `secret` names the environment variable that has the secret of the webhook.

    `contents` are its files by their path in a project, and `settings` is what it needs in `headrace.yaml`.
    """

    name: str
    description: str
    secret: str
    contents: dict[str, bytes]
    settings: str

    def missing_settings(self, settings: str) -> str:
        """Return what the text of a project's `headrace.yaml` lacks; empty if nothing."""
        present = set(_KEY.findall(settings))
        blocks = self.settings.split("\n\n")
        return "\n\n".join([block for block in blocks if not present >= set(_KEY.findall(block))])


def template_names() -> tuple[str, ...]:
    """Return the names of all templates, sorted."""
    return tuple(sorted([folder.name for folder in _root().iterdir() if folder.is_dir()]))


def vendor_templates(names: Iterable[str]) -> list[VendorTemplate]:
    """Return the templates of some names, each once, in their order. Raises `UnknownTemplate`."""
    known = template_names()
    wanted = dict.fromkeys([name for each in names for part in each.split(",") if (name := part.strip().lower())])
    for name in wanted:
        if name not in known:
            near = f": did you mean `{closest(name, known)}`?" if closest(name, known) else "."
            raise UnknownTemplate(f"There is no template `{name}`{near} There are {', '.join(known)}.")
    return [_read(name) for name in wanted]


def taken_files(templates: Iterable[VendorTemplate], project: Path) -> list[str]:
    """Return the files of templates that a project has already: they would be overwritten."""
    return [path for template in templates for path in template.contents if (project / path).exists()]


def add_templates(templates: Iterable[VendorTemplate], project: Path) -> None:
    """Write the files of templates into a project, and the settings that it lacks into its `headrace.yaml`."""
    for template in templates:
        for path, content in template.contents.items():
            (project / path).parent.mkdir(exist_ok=True)
            (project / path).write_bytes(content)
        settings = (project / SETTINGS).read_text(encoding="utf-8")
        if more := template.missing_settings(settings):
            (project / SETTINGS).write_text(f"{settings.rstrip()}\n\n{more.rstrip()}\n", encoding="utf-8")


def _read(name: str) -> VendorTemplate:
    folder = _root() / name
    contents = dict(_contents(folder))
    webhook = contents[f"webhooks/{name}.yaml"].decode()
    settings = folder / SETTINGS
    return VendorTemplate(
        name=name,
        description="".join(_DESCRIPTION.findall(webhook)),
        secret="".join(_SECRET.findall(webhook)),
        contents=contents,
        settings=settings.read_text(encoding="utf-8") if settings.is_file() else "",
    )


def _contents(folder: Traversable) -> Iterator[tuple[str, bytes]]:
    for name in _FOLDERS:
        for file in sorted((folder / name).iterdir(), key=lambda file: file.name):
            yield f"{name}/{file.name}", file.read_bytes()


def _root() -> Traversable:
    return files("flows") / "templates"
