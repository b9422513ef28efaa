"""`headrace init`: a copy of the starter project."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console


def init(directory: Path, console: Console) -> int:
    """Copy the starter project to `directory`. Exit code 2 when something is there already."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        console.print(f"[red]{directory} is not empty.[/] Name a new directory, e.g. headrace init shop")
        return 2
    with as_file(files("flows") / "starter") as starter:
        shutil.copytree(starter, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    console.print(f"A web shop is in [bold]{directory}[/]. What next:")
    console.print(f"  headrace check {directory}     says what is wrong, if anything is")
    console.print(f"  headrace serve {directory}     takes events at http://127.0.0.1:8686/track")
    console.print(f"  {directory}/README.md     explains its flows and how to send the first event")
    return 0
