"""The pages that tests follow: the files that a page shows, and its commands with their output, in order."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

from msgspec import Struct

ROOT = Path(__file__).parents[2]
SERVED = "http://127.0.0.1:8686"  # the default address of a server, in all pages
PRETTY = ["|", "python3", "-m", "json.tool"]

_STEP = re.compile(
    r"^\*\*(?P<path>[\w./-]+)\*\*(?P<made> \(made by `init`\))?\n\n```yaml\n(?P<text>.*?)^```$"
    r"|^```sh\n(?P<line>.*?)\n```$(?:\n\n```(?:text|json)\n(?P<output>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)


class File(Struct, frozen=True):
    """A file that a page shows whole."""

    path: str
    text: str
    made: bool  # `headrace init` has written it; else the reader writes it


class Command(Struct, frozen=True):
    """A command that a page shows, with the output that it shows below: empty when it shows none."""

    line: str
    output: str


def steps(page: str) -> Iterator[File | Command]:
    """All files and commands of a page, in order."""
    for found in _STEP.finditer(page):
        if found["path"] is not None:
            yield File(found["path"], found["text"], found["made"] is not None)
        else:
            yield Command(found["line"], found["output"] or "")


def blocks(page: str) -> int:
    """How many fenced blocks a page has."""
    return len(re.findall(r"^```\w+$", page, re.MULTILINE))


def curl(line: str, address: str) -> str:
    """Send the request of a `curl` command to the server at `address`, and return what the command would print.

    Only the options -s, -H and -d are known, and a pipe to `python3 -m json.tool`.
    """
    words = shlex.split(line)
    assert words.pop(0) == "curl"
    pretty = words[-len(PRETTY) :] == PRETTY
    if pretty:
        del words[-len(PRETTY) :]
    request = Request(words.pop(0 if words[0] != "-s" else 1).replace(SERVED, address))
    options = iter(words)
    for option in options:
        match option:
            case "-H":
                name, _, value = next(options).partition(": ")
                request.add_header(name, value)
            case "-d":
                request.data = next(options).encode()
            case _:
                assert option == "-s", option
    with urlopen(request, timeout=30) as response:
        body: str = response.read().decode()
    return json.dumps(json.loads(body), indent=4) + "\n" if pretty else body
