"""`headrace init`: a copy of the starter project."""

import shutil
import sys
from importlib.resources import as_file, files
from itertools import count
from pathlib import Path

from rich.console import Console


def init(directory: Path, console: Console) -> int:
    """Copy the starter project to `directory`. Exit code 2 when something is there already."""
    command = called()
    if _taken(directory):
        free = next(path for n in count(2) if not _taken(path := directory.parent / f"{_name(directory)}-{n}"))
        console.print(f"[red]{directory} is not empty.[/] Name a new directory, e.g. {command} init {free}")
        return 2
    with as_file(files("flows") / "starter") as starter:
        shutil.copytree(starter, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    console.print(f"A web shop is in [bold]{directory}[/]. What next:")
    steps = {
        f"{command} check {directory}": "says what is wrong, if anything is",
        f"{command} test {directory}": "plays the cases of its test files",
        f"{command} serve {directory}": "takes events at http://127.0.0.1:8686/track",
        f"{directory}/README.md": "explains its flows and how to send the first event",
    }
    width = max(map(len, steps))
    for step, does in steps.items():
        console.print(f"  {step:{width}}  {does}", soft_wrap=True)
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
