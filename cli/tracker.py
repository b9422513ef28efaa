"""`headrace tracker`: prints the lines that a page needs to send events to a source."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TextIO

from api.tracker import current_script
from cli.check import OK, USAGE_ERROR
from engine.problem import did_you_mean
from flows.project import load_project
from nodes import builtin


def tracker(
    project: Path, source: str, url: str, out: TextIO, err: TextIO, environment: Mapping[str, str] | None = None
) -> int:
    """Write the script element for a source to `out`, or to `err` why pages cannot use it. Returns the exit code.

    `url` is where pages reach the server; `environment` has the secrets of the project's files.
    """
    sources = load_project(project, builtin(), environment).project.sources
    known = sources.get(source)
    if known is None:
        help = did_you_mean(source, sources) or "`headrace check` says more"
        err.write(f"there is no source `{source}` that can be used: {help}\n")
        return USAGE_ERROR
    if known.kind != "public" or "track" not in known.accepts:
        err.write(f"pages cannot send to the source `{source}`: it needs `kind: public`, and `track` in `accepts`\n")
        return USAGE_ERROR
    out.write(snippet(source, url))
    if not known.origins:
        err.write(f"note: list your pages in `origins` of the source `{source}`, or browsers hide its answers\n")
    return OK


def snippet(source: str, url: str) -> str:
    """Return the script element of a page that sends to a source, in lines that end."""
    script = current_script()
    attributes = [
        f'src="{escape(url.rstrip("/"))}{script.path}"',
        f'integrity="{script.integrity}" crossorigin="anonymous"',
        f'data-source="{escape(source)}"',
    ]
    return "<script async " + "\n  ".join(attributes) + "></script>\n"
