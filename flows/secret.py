"""References to secrets: `${env:NAME}` and `${file:PATH}` in a target's address and headers.

They are resolved after parsing and nowhere else, so no comment, no event and no other value is ever looked into.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from engine.problem import Problem, ProblemError, did_you_mean

UNRESOLVED = "H408"
MAX_BYTES = 65_536  # bytes of a file that holds a secret

_REFERENCE = re.compile(r"\$\{(?P<kind>[^:{}]*)(?::(?P<name>[^{}]*))?\}")


class Secret(str):
    """A text that does not show itself where values are shown: in Structs, maps, logs and tracebacks.

    It is still the text for who asks for it (`str(...)`, joining, encoding): HTTP clients do.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def resolve(text: str, root: Path, environment: Mapping[str, str]) -> str:
    """`text` with its references replaced; a `Secret` if it had any. Raises `ProblemError` for one without a value."""
    parts: list[str] = []
    done = 0
    for found in _REFERENCE.finditer(text):
        parts += [text[done : found.start()], _looked_up(found, root, environment)]
        done = found.end()
    if not parts:
        return text
    return Secret("".join([*parts, text[done:]]))


def _looked_up(found: re.Match[str], root: Path, environment: Mapping[str, str]) -> str:
    kind, name = found["kind"], found["name"] or ""
    if kind == "env":
        if not environment.get(name, "absent"):
            raise _wrong(found, f"the environment variable `{name}` is empty", f"set {name} for this process")
        if name not in environment:
            near = did_you_mean(name, environment) if len(environment) > 12 else ""
            raise _wrong(found, f"the environment variable `{name}` is not set", near or f"set {name} for this process")
        return environment[name]
    if kind == "file":
        return _read(found, root / name)
    raise _wrong(found, f"`{found[0]}` is no reference", "write `${env:NAME}` or `${file:PATH}`")


def _read(found: re.Match[str], path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _wrong(found, f"`{path.name}` is too large for a secret", f"at most {MAX_BYTES:,} bytes")
        return content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise _wrong(found, f"`{path.name}` is not UTF-8", "") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        remedy = "paths count from the project's directory"
        raise _wrong(found, f"`{found['name']}` cannot be read: {reason}", remedy) from None


def _wrong(found: re.Match[str], message: str, remedy: str) -> ProblemError:
    length = found.end() - found.start()
    return ProblemError(Problem(code=UNRESOLVED, message=message, offset=found.start(), length=length, help=remedy))
