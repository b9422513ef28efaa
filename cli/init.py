"""`headrace init`: copies one of the two example projects that come with Headrace, and templates for webhooks."""

import shutil
import sys
from collections.abc import Sequence
from importlib.resources import as_file, files
from itertools import count
from pathlib import Path

from msgspec import Struct
from rich.console import Console
from rich.markup import escape

from cli.vendor_templates import UnknownTemplate, VendorTemplate, add_templates, taken_files, vendor_templates
from flows.files import SETTINGS


class ProjectTemplate(Struct, frozen=True):
    """An example project that can be copied.

    `folder` is its folder in the package `flows`; `first_event` names a file of the project and says what it explains.
    """

    folder: str
    description: str
    first_event: tuple[str, str]


SHOP = ProjectTemplate("starter", "A web shop", ("README.md", "explains its flows and how to send the first event"))
EMPTY = ProjectTemplate(
    "empty", "A project with one flow and one test", ("sources/website.yaml", "shows how to send the first event")
)


def init(directory: Path, console: Console, empty: bool = False, vendors: Sequence[str] = ()) -> int:
    """Copy the web shop, or with `empty` the smallest project, to `directory`, and print the next commands.

    `vendors` names templates for webhooks, which are added to it, or to a project that is there already. Returns the
    exit code: 2 when `directory` is a file or is not empty, when a template is unknown or its files are there; else 0.
    """
    command = command_name()
    try:
        templates = vendor_templates(vendors)
    except UnknownTemplate as unknown:
        console.print(f"[red]{escape(str(unknown))}[/]", soft_wrap=True)
        return 2
    if templates and not empty and (directory / SETTINGS).is_file():
        return _add(templates, directory, console)
    if _is_taken(directory):
        free = next(path for n in count(2) if not _is_taken(path := directory.parent / f"{_base_name(directory)}-{n}"))
        console.print(f"[red]{directory} is not empty.[/] Name a new directory, e.g. {command} init {free}")
        return 2
    template = EMPTY if empty else SHOP
    with as_file(files("flows") / template.folder) as source:
        shutil.copytree(source, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    add_templates(templates, directory)
    _print_secrets(templates, directory, console)
    console.print(f"{template.description} is in [bold]{directory}[/]. What next:")
    file, explanation = template.first_event
    next_steps = {
        f"{command} check {directory}": "reports errors in its files, if there are any",
        f"{command} test {directory}": "runs the cases of its test files",
        f"{command} serve {directory}": "takes events at http://127.0.0.1:8686/track",
        f"{directory}/{file}": explanation,
    }
    width = max(map(len, next_steps))
    for next_step, effect in next_steps.items():
        console.print(f"  {next_step:{width}}  {effect}", soft_wrap=True)
    return 0


def _add(templates: Sequence[VendorTemplate], project: Path, console: Console) -> int:
    """Add templates to a project that is there already. Return the exit code."""
    if taken := taken_files(templates, project):
        console.print(f"[red]{project} has {', '.join(taken)} already.[/] Nothing was changed.", soft_wrap=True)
        return 2
    add_templates(templates, project)
    _print_secrets(templates, project, console)
    return 0


def _print_secrets(templates: Sequence[VendorTemplate], project: Path, console: Console) -> None:
    """Print what has been added to a project, and the variables that must be set for it."""
    for template in templates:
        file = project / "webhooks" / f"{template.name}.yaml"
        console.print(f"{template.description}: [bold]{file}[/]", soft_wrap=True)
        console.print(f"  set {template.secret} for `check` and `serve`; the file says where it is", soft_wrap=True)
        if template.settings:
            console.print(f"  and see the end of {project / SETTINGS}", soft_wrap=True)


def command_name() -> str:
    """The text that calls this command from a shell: `headrace` when PATH finds this script, else the script's path."""
    script = Path(sys.argv[0])
    on_path = shutil.which("headrace")
    if on_path is not None and (script.stem != "headrace" or Path(on_path).resolve() == script.resolve()):
        return "headrace"
    return sys.argv[0] if script.stem == "headrace" else "headrace"


def _is_taken(directory: Path) -> bool:
    return directory.exists() and (not directory.is_dir() or any(directory.iterdir()))


def _base_name(directory: Path) -> str:
    return directory.name or directory.resolve().name
