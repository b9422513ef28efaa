"""`hash_keys:` in headrace.yaml: the secrets by which the filter `hmac` makes hashes that cannot be guessed."""

from collections.abc import Mapping
from pathlib import Path

from engine.language.disguise import KEY_NAME
from engine.problem import Problem, ProblemError
from engine.project.secret import Secret
from flows.secret import is_made_up, resolve

SHORTEST = 16  # characters


def read_hash_keys(
    texts: Mapping[str, str], root: Path, environment: Mapping[str, str], problems: list[Problem]
) -> dict[str, Secret]:
    """The secrets by name, without those that have a problem."""
    keys: dict[str, Secret] = {}
    for name, text in texts.items():
        at = ("hash_keys", name)
        if not KEY_NAME.fullmatch(name):
            help = "small letters, digits, - and _, beginning with a letter"
            message = f"`{name}` is not the name of a hash key"
            problems.append(Problem(code="H404", message=message, path=at, on="key", help=help))
            continue
        try:
            secret = resolve(text, root, environment)
        except ProblemError as error:
            problems.append(error.problem.below(at))
            continue
        if not isinstance(secret, Secret):
            help = "write `${env:NAME}` or `${file:PATH}`, and put the secret there"
            message = f"the hash key `{name}` is written in the file itself"
            problems.append(Problem(code="H404", message=message, path=at, help=help))
        elif len(secret) < SHORTEST and not is_made_up(secret):
            help = "make one by `openssl rand -hex 32`"
            message = f"the hash key `{name}` is shorter than {SHORTEST} characters, so it can be guessed"
            problems.append(Problem(code="H404", message=message, path=at, help=help))
        else:
            keys[name] = secret
    return keys
