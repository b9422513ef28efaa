"""The admin key: made once, readable by its owner only, and refused if it is weak."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli.admin_key import FILE, VARIABLE, server_key, stored_key
from cli.location import DataLocation
from cli.store import CommandError

WEAK = ["short", "x" * 15, "the key with spaces", "schlüsselschlüssel", "a-key-with-a\nline-break"]


def write_key(root: Path, text: str, mode: int = 0o600) -> None:
    path = root / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def test_the_first_start_makes_a_key_that_only_its_owner_can_read(tmp_path: Path) -> None:
    made = server_key(tmp_path, {})
    file = tmp_path / FILE
    assert (len(made.value) >= 43, made.origin) == (True, str(file))
    assert [path.stat().st_mode & 0o777 for path in (file, file.parent)] == [0o600, 0o700]
    assert (file.parent / ".gitignore").read_text() == "*\n"
    assert server_key(tmp_path, {}) == made == stored_key(tmp_path)


def test_an_open_umask_opens_no_key(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        server_key(tmp_path, {})
    finally:
        os.umask(umask)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_servers_that_start_at_the_same_time_make_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: server_key(tmp_path, {}).value, range(64)))
    assert len(keys) == 1


def test_a_file_that_a_crash_left_empty_gets_a_key(tmp_path: Path) -> None:
    write_key(tmp_path, "")
    assert stored_key(tmp_path) is None
    assert server_key(tmp_path, {}) == stored_key(tmp_path)


def test_the_environment_takes_the_place_of_the_file(tmp_path: Path) -> None:
    assert server_key(tmp_path, {VARIABLE: "a-key-of-the-environment"}).value == "a-key-of-the-environment"
    assert not (tmp_path / FILE).exists()
    assert server_key(tmp_path, {VARIABLE: ""}) == stored_key(tmp_path)


@pytest.mark.parametrize("key", WEAK)
def test_a_weak_key_is_refused_wherever_it_comes_from(tmp_path: Path, key: str) -> None:
    with pytest.raises(CommandError, match=f"{VARIABLE} must have 16 or more characters"):
        server_key(tmp_path, {VARIABLE: key})
    write_key(tmp_path, key)
    with pytest.raises(CommandError, match="Delete the file"):
        server_key(tmp_path, {})


def test_a_key_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    write_key(tmp_path, "a-key-of-a-good-length", mode=0o640)
    with pytest.raises(CommandError, match=re.escape(f"chmod 600 {tmp_path / FILE}")):
        server_key(tmp_path, {})


def test_a_link_in_place_of_the_key_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).symlink_to(elsewhere)
    with pytest.raises(CommandError, match=f"set {VARIABLE}"):
        server_key(tmp_path, {})
    assert not elsewhere.exists()


def test_where_no_key_can_be_written_the_message_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / FILE.parent).write_text("a file in place of the folder")
    with pytest.raises(CommandError, match=f"cannot be written to .*set {VARIABLE}"):
        server_key(tmp_path, {})


@pytest.mark.parametrize(
    ("url", "given", "sent"),
    [
        ("http://127.0.0.1:8686", None, "the-key-in-the-project"),
        ("http://localhost", None, "the-key-in-the-project"),
        ("http://[::1]:8686/", None, "the-key-in-the-project"),
        ("http://127.0.0.1:8686", "a-key-on-the-command-line", "a-key-on-the-command-line"),
        ("https://headrace.example", None, None),
        ("https://headrace.example", "a-key-on-the-command-line", "a-key-on-the-command-line"),
        ("http://127.0.0.1.evil.example", None, None),
        ("http://127.0.0.1@evil.example", None, None),
        ("http://[", None, None),
    ],
)
def test_only_a_server_on_this_machine_gets_the_key_of_the_project(
    tmp_path: Path, url: str, given: str | None, sent: str | None
) -> None:
    write_key(tmp_path, "the-key-in-the-project\n")
    server = DataLocation(tmp_path, None, url, given).server()
    assert server is not None
    assert server.headers.get("Authorization") == (sent and f"Bearer {sent}")
