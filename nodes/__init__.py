"""The built-in node types: one file each, in folders by family; the tag is the path (`profile/set.py`: `profile.set`).

Types of one word are in `branch/` and `run/`. `builtin` discovers the files, so a new file needs no registration.
"""

from collections.abc import Iterator
from importlib import import_module
from inspect import getmembers, isclass
from pkgutil import walk_packages

from engine.flow.node import Node
from engine.flow.registry import Registry
from nodes.documentation import documentation

__all__ = ["builtin", "documentation"]


def builtin() -> Registry:
    """A registry of all node types in this package."""
    return Registry(_types())


def _types() -> Iterator[type[Node]]:
    for info in walk_packages(__path__, prefix=f"{__name__}."):
        module = import_module(info.name)
        for _, member in getmembers(module, isclass):
            if issubclass(member, Node) and member.__module__ == module.__name__ and member.__struct_config__.tag:
                yield member
