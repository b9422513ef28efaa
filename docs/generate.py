"""Generates pages from the code: `python docs/generate.py`; with `--check` it only reports stale pages."""

import sys
from collections.abc import Callable
from pathlib import Path

from nodes import builtin
from nodes.documentation import page

HERE = Path(__file__).parent
PAGES: dict[str, Callable[[], str]] = {"nodes.md": lambda: page(builtin())}


def stale() -> list[str]:
    """The names of the pages that differ from their generated text."""
    return [name for name, text in PAGES.items() if not _is_current(HERE / name, text())]


def write() -> None:
    """Write all pages."""
    for name, text in PAGES.items():
        (HERE / name).write_text(text(), encoding="utf-8")


def main() -> int:
    """Write the pages; with `--check`, report stale ones and return exit code 1."""
    if "--check" not in sys.argv[1:]:
        write()
        return 0
    names = stale()
    for name in names:
        sys.stderr.write(f"docs/{name} is stale: run `python docs/generate.py`\n")
    return 1 if names else 0


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
