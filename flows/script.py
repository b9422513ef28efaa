"""`script:` and `params:` of a file: an author's JavaScript, which is beside it, and its configured values."""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from engine.problem import KeyPath, Problem, ProblemError, closest
from engine.project.script import Script
from flows.secret import resolve

MAX_SCRIPT: Final = 262_144  # bytes


class ScriptPlace(Struct, frozen=True):
    """Where the file of a script is looked for: `folder`, in the project's directory `root`.

    `engine` is the module that runs scripts, which only the extra `js` installs.
    """

    root: Path
    folder: Path
    environment: Mapping[str, str]
    engine: str = "quickjs"


def read_script(
    data: Mapping[str, Any], place: ScriptPlace, function: str, example: str
) -> tuple[Script | None, list[Problem]]:
    """Return the script that `script` and `params` of a file say, or None with its problems.

    It must define `function`, as `example` does.
    """
    problems: list[Problem] = []
    text = _text(data.get("script"), place, problems)
    if text is not None and not re.search(rf"\b{re.escape(function)}\b", text):
        message = f"`{data['script']}` has no function `{function}`"
        problems.append(Problem(code="H442", message=message, path=("script",), help=f"write `{example}`"))
    params = _params(data.get("params", {}), place, problems)
    if text is None or problems:
        return None, problems
    if find_spec(place.engine) is None:
        message = f"`{data['script']}` cannot run here: the extra `js` is not installed"
        help = "run `pip install 'headrace[js]'`"
        problems.append(Problem(code="H441", message=message, path=("script",), help=help, severity="warning"))
    file = (place.folder / data["script"]).resolve().relative_to(place.root.resolve())
    return Script(file=file.as_posix(), text=text, params=params), problems


def _text(written: Any, place: ScriptPlace, problems: list[Problem]) -> str | None:
    """Return the text of the file that `script` names; None with a problem."""

    def wrong(message: str, help: str) -> None:
        problems.append(Problem(code="H442", message=message, path=("script",), help=help))

    if not isinstance(written, str) or not written.endswith((".js", ".mjs")) or "\n" in written:
        help = "write `script: NAME.js`, and put the file beside this one"
        wrong("`script` is the name of a file of JavaScript", help)
        return None
    path = (place.folder / written).resolve()
    if not path.is_relative_to(place.root.resolve()):
        wrong(f"`{written}` is outside of the project", "put the file beside this one")
        return None
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SCRIPT + 1)
        if len(content) > MAX_SCRIPT:
            wrong(f"`{written}` is too large for a script", f"at most {MAX_SCRIPT:,} bytes")
            return None
        return content.decode()
    except UnicodeDecodeError:
        wrong(f"`{written}` is not UTF-8", "save it as UTF-8")
    except (OSError, ValueError) as error:
        near = closest(written, [each.name for each in place.folder.glob("*.js")])
        help = f"did you mean `{near}`?" if near is not None else "put it beside this file"
        wrong(f"`{written}` cannot be read: {getattr(error, 'strerror', None) or 'not a path'}", help)
    return None


def _params(written: Any, place: ScriptPlace, problems: list[Problem]) -> dict[str, Any]:
    """Return the configured values, with references to secrets resolved."""
    if not isinstance(written, Mapping):
        help = "write each value below it by its name: `from: 2026-01-01`"
        problems.append(Problem(code="H404", message="`params` is a map", path=("params",), help=help))
        return {}
    found: dict[str, Any] = {}
    for name, value in written.items():
        at: KeyPath = ("params", name)
        if isinstance(value, Mapping) and "value" in value and value.keys() <= {"type", "value", "description"}:
            message, help = f"`{name}` is a map with `value`", "write the value itself, without a type"
            problems.append(Problem(code="H404", message=message, path=at, help=help))
            continue
        found[str(name)] = _resolved(value, at, place, problems)
    return found


def _resolved(value: Any, at: KeyPath, place: ScriptPlace, problems: list[Problem]) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _resolved(inner, (*at, name), place, problems) for name, inner in value.items()}
    if isinstance(value, list):
        return [_resolved(inner, (*at, index), place, problems) for index, inner in enumerate(value)]
    if not isinstance(value, str):
        return value
    try:
        return resolve(value, place.root, place.environment)
    except ProblemError as error:
        problems.append(error.problem.below(at))
        return value
