"""`headrace init`: copies one of the two example projects that come with Headrace."""

import shutil
import sys
from importlib.resources import as_file, files
from itertools import count
from pathlib import Path

from msgspec import Struct
from rich.console import Console


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


def init(directory: Path, console: Console, empty: bool = False) -> int:
    """Copy the web shop, or with `empty` the smallest project, to `directory`, and print the next commands.

    Returns the exit code: 2 when `directory` is a file or is not empty, else 0.
    """
    command = command_name()
    if _is_taken(directory):
        free = next(path for n in count(2) if not _is_taken(path := directory.parent / f"{_base_name(directory)}-{n}"))
        console.print(f"[red]{directory} is not empty.[/] Name a new directory, e.g. {command} init {free}")
        return 2
    template = EMPTY if empty else SHOP
    with as_file(files("flows") / template.folder) as source:
        shutil.copytree(source, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
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
