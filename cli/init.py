"""`headrace init`: a copy of one of the two projects that come with Headrace."""

import shutil
import sys
from importlib.resources import as_file, files
from itertools import count
from pathlib import Path

from msgspec import Struct
from rich.console import Console


class Offered(Struct, frozen=True):
    """A project that can be copied: its folder in the package `flows`, and two sentences about it."""

    folder: str
    description: str
    first_event: tuple[str, str]  # a file of the project, and what it explains


SHOP = Offered("starter", "A web shop", ("README.md", "explains its flows and how to send the first event"))
EMPTY = Offered(
    "empty", "A project with one flow and one test", ("sources/website.yaml", "shows how to send the first event")
)


def init(directory: Path, console: Console, empty: bool = False) -> int:
    """Copy the web shop, or with `empty` the smallest project, to `directory`.

    Returns the exit code: 2 when `directory` is a file or has something in it, else 0.
    """
    command = called()
    if _taken(directory):
        free = next(path for n in count(2) if not _taken(path := directory.parent / f"{_name(directory)}-{n}"))
        console.print(f"[red]{directory} is not empty.[/] Name a new directory, e.g. {command} init {free}")
        return 2
    offered = EMPTY if empty else SHOP
    with as_file(files("flows") / offered.folder) as source:
        shutil.copytree(source, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    console.print(f"{offered.description} is in [bold]{directory}[/]. What next:")
    file, explanation = offered.first_event
    steps = {
        f"{command} check {directory}": "reports errors in its files, if there are any",
        f"{command} test {directory}": "runs the cases of its test files",
        f"{command} serve {directory}": "takes events at http://127.0.0.1:8686/track",
        f"{directory}/{file}": explanation,
    }
    width = max(map(len, steps))
    for step, effect in steps.items():
        console.print(f"  {step:{width}}  {effect}", soft_wrap=True)
    return 0


def called() -> str:
    """The command as it can be called again from here: by its name when that leads to it, else by its path."""
    script = Path(sys.argv[0])
    found = shutil.which("headrace")
    if found is not None and (script.stem != "headrace" or Path(found).resolve() == script.resolve()):
        return "headrace"
    return sys.argv[0] if script.stem == "headrace" else "headrace"


def _taken(directory: Path) -> bool:
    return directory.exists() and (not directory.is_dir() or any(directory.iterdir()))


def _name(directory: Path) -> str:
    return directory.name or directory.resolve().name
