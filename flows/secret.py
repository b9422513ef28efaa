"""References to secrets: `${env:NAME}` and `${file:PATH}` in a target's address and headers.

They are resolved after parsing and nowhere else: references in comments, events and other values stay plain text.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from engine.problem import Problem, ProblemError, did_you_mean
from engine.project.secret import Secret

UNRESOLVED = "H408"
MAX_BYTES = 65_536  # bytes of a file that holds a secret

_MADE_UP = f"https://secret.invalid/{'0' * 32}"

_REFERENCE = re.compile(r"\$\{(?P<kind>[^:{}]*)(?::(?P<name>[^{}]*))?\}")


class AnySecret(dict[str, str]):
    """An environment in which every secret is set. Tests send no requests, so they need no real secrets."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return _MADE_UP


def is_made_up(text: str) -> bool:
    """Return whether a text has a value of `AnySecret`, so that its form says nothing."""
    return _MADE_UP in text


def resolve(text: str, root: Path, environment: Mapping[str, str]) -> str:
    """`text` with its references replaced; a `Secret` if it had any. Raises `ProblemError` for one without a value."""
    parts: list[str] = []
    values: list[str] = []
    end = 0  # of the last reference
    for reference in _REFERENCE.finditer(text):
        values.append(_value(reference, root, environment))
        parts += [text[end : reference.start()], values[-1]]
        end = reference.end()
    if not parts:
        return text
    return Secret("".join([*parts, text[end:]]), tuple(values))


def _value(reference: re.Match[str], root: Path, environment: Mapping[str, str]) -> str:
    kind, name = reference["kind"], reference["name"] or ""
    if kind == "env":
        if not environment.get(name, "absent"):
            raise _error(reference, f"the environment variable `{name}` is empty", f"set {name} for this process")
        if name not in environment:
            near = did_you_mean(name, environment) if len(environment) > 12 else ""
            raise _error(
                reference, f"the environment variable `{name}` is not set", near or f"set {name} for this process"
            )
        return environment[name]
    if kind == "file":
        return _read_file(reference, root / name)
    raise _error(reference, f"`{reference[0]}` is not a reference", "write `${env:NAME}` or `${file:PATH}`")


def _read_file(reference: re.Match[str], path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _error(reference, f"`{path.name}` is too large for a secret", f"at most {MAX_BYTES:,} bytes")
        return content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise _error(reference, f"`{path.name}` is not UTF-8", "") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        remedy = "paths are relative to the project's directory"
        raise _error(reference, f"`{reference['name']}` cannot be read: {reason}", remedy) from None


def _error(reference: re.Match[str], message: str, remedy: str) -> ProblemError:
    length = reference.end() - reference.start()
    return ProblemError(Problem(code=UNRESOLVED, message=message, offset=reference.start(), length=length, help=remedy))
