"""`headrace nodes`: lists and documents the node types, from their own declarations."""

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

import nodes
from engine.flow.node import type_name
from engine.problem import did_you_mean


def show(name: str | None, console: Console) -> int:
    """List all node types, or document one. Exit code 2 for a type that does not exist."""
    registry = nodes.builtin()
    if name is None:
        table = Table("type", "what it does", box=None, header_style="bold", pad_edge=False)
        for node_type in registry:
            table.add_row(type_name(node_type), (node_type.__doc__ or "").strip().splitlines()[0])
        console.print(table)
        return 0
    node = registry.find(name)
    if node is None:
        remedy = did_you_mean(name, registry.names()) or "`headrace nodes` lists them"
        console.print(f"There is no node type `{name}`: {remedy}", markup=False, highlight=False)
        return 2
    console.print(Markdown(nodes.documentation(node)))
    return 0
