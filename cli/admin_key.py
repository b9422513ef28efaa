"""The admin key: requests to read, erase and unmerge must carry it. A server makes it at its first start."""

import fcntl
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from cli.store import CommandError

VARIABLE = "HEADRACE_ADMIN_KEY"
FILE = Path(".headrace", "admin-key")  # in a project
MIN_CHARACTERS = 16
_VALID = re.compile(rf"[!-~]{{{MIN_CHARACTERS},}}")  # visible ASCII, which every client sends in a header as it is
_READABLE_BY_OTHERS = 0o077
_MAX_BYTES = 4096


class AdminKey(Struct, frozen=True):
    """A key, and the name of the file or of the environment variable that holds it."""

    value: str
    origin: str


def server_key(root: Path, environment: Mapping[str, str]) -> AdminKey:
    """Return the key for the server of the project at `root`: of the environment, else of the project's file.

    Makes the file if there is none; of several processes that do so at the same time, all return the same key. Raises
    `CommandError` when the key is invalid, or when there is no file and none can be made.
    """
    if given := environment.get(VARIABLE):
        return AdminKey(_checked(given, VARIABLE), VARIABLE)
    return stored_key(root) or _made(root)


def stored_key(root: Path) -> AdminKey | None:
    """Return the key in the file of the project at `root`; None without one. Raises `CommandError`."""
    path = root / FILE
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unusable(f"The admin key in {path} cannot be read: {error.strerror}") from error
    try:
        text = _read(descriptor, path)
    finally:
        os.close(descriptor)
    return AdminKey(_checked(text, str(path)), str(path)) if text else None


def _made(root: Path) -> AdminKey:
    """Write a new key, unless another process has written one by now. Returns the key that is in the file."""
    path = root / FILE
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        (path.parent / ".gitignore").write_text("*\n")  # a key does not belong in a repository
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise _unusable(f"The admin key cannot be written to {path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        text = _read(descriptor, path)
        if not text:
            text = secrets.token_urlsafe(32)
            os.write(descriptor, text.encode() + b"\n")
            os.fsync(descriptor)
    except OSError as error:
        raise _unusable(f"The admin key cannot be written to {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)
    return AdminKey(_checked(text, str(path)), str(path))


def _read(descriptor: int, path: Path) -> str:
    """Return the text of an open key file, empty before the key is written. Raises `CommandError`."""
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        raise _unusable(f"{path} is not a file with an admin key")
    if mode & _READABLE_BY_OTHERS:
        raise CommandError(f"Other users may read the admin key in {path}. Say `chmod 600 {path}`, and start again.")
    return os.read(descriptor, _MAX_BYTES).decode(errors="replace").strip()


def _checked(key: str, origin: str) -> str:
    if not _VALID.fullmatch(key):
        message = f"The admin key in {origin} must have {MIN_CHARACTERS} or more characters, all of them visible ASCII."
        remedy = "" if origin == VARIABLE else " Delete the file, and the server makes a new one."
        raise CommandError(message + remedy)
    return key


def _unusable(reason: str) -> CommandError:
    return CommandError(f"{reason}. Correct that, or set {VARIABLE} to a key of {MIN_CHARACTERS} or more characters.")
