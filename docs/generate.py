"""Writes the pages that say what the code says: `python docs/generate.py`; with `--check` it only tells stale ones."""

import sys
from collections.abc import Callable
from pathlib import Path

from nodes import builtin
from nodes.documentation import page

HERE = Path(__file__).parent
PAGES: dict[str, Callable[[], str]] = {"nodes.md": lambda: page(builtin())}


def stale() -> list[str]:
    """The pages that do not say what the code says."""
    return [name for name, made in PAGES.items() if not _says(HERE / name, made())]


def write() -> None:
    """Write every page anew."""
    for name, made in PAGES.items():
        (HERE / name).write_text(made(), encoding="utf-8")


def main() -> int:
    """Write the pages; or say which are stale, with exit code 1."""
    if "--check" not in sys.argv[1:]:
        write()
        return 0
    names = stale()
    for name in names:
        sys.stderr.write(f"docs/{name} is stale: run `python docs/generate.py`\n")
    return 1 if names else 0


def _says(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
