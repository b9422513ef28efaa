"""The built-in node types: one file per node, grouped by family; the tag is the path (`profile/set.py`: `profile.set`).

Types of one word live in `branch/` and `run/`. A file that is added to a family is found; there is no list to edit.
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
    """A registry of every node type in the families below this package."""
    return Registry(_types())


def _types() -> Iterator[type[Node]]:
    for found in walk_packages(__path__, prefix=f"{__name__}."):
        module = import_module(found.name)
        for _, member in getmembers(module, isclass):
            if issubclass(member, Node) and member.__module__ == module.__name__ and member.__struct_config__.tag:
                yield member
