"""`headrace nodes`: lists, documents and tests the node types, also those of a project."""

from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

import nodes
from cli.testing.node_contract import contract_breaches
from engine.flow.node import Node, type_name
from engine.flow.registry import Registry
from engine.problem import did_you_mean
from flows.diagnostic import render
from flows.own_nodes import own_nodes
from nodes.documentation import own_page

OK, FINDINGS, USAGE_ERROR = 0, 1, 2  # exit codes


def registry_of(root: Path, errors: Console) -> Registry:
    """Return all node types of the project at `root`; prints what could not be loaded."""
    own = own_nodes(root, nodes.builtin())
    if own.diagnostics:
        errors.print(render(own.diagnostics, own.sources, colour=False), markup=False, highlight=False, soft_wrap=True)
    return own.registry


def show(name: str | None, console: Console, registry: Registry | None = None) -> int:
    """List all node types, or document one. Exit code 2 for a type that does not exist."""
    registry = registry or nodes.builtin()
    if name is None:
        _list(console, registry)
        return OK
    node = registry.find(name)
    if node is None:
        return _unknown(name, console, registry)
    console.print(Markdown(nodes.documentation(node)))
    return OK


def test(name: str | None, console: Console, registry: Registry) -> int:
    """Check the contract of one own node type, or of all. Exit code 1 if one does not keep it."""
    if name is not None and registry.find(name) is None:
        return _unknown(name, console, registry)
    chosen = [name] if name is not None else sorted(registry.places)
    if not chosen:
        console.print(
            "The project has no node types of its own. `headrace nodes new NAME` writes one.", highlight=False
        )
    breaches = {each: list(contract_breaches(_found(registry, each))) for each in chosen}
    for each, found in breaches.items():
        console.print(f"{'✗' if found else '✓'} {each}", markup=False, highlight=False)
        for breach in found:
            console.print(f"    {breach}", markup=False, highlight=False, soft_wrap=True)
    return FINDINGS if any(breaches.values()) or registry.missing else OK


def document(output: Path | None, console: Console, registry: Registry) -> int:
    """Write the page of all own node types to a file, or print it."""
    text = own_page(registry)
    if output is None:
        console.file.write(text)
    else:
        output.write_text(text, encoding="utf-8")
    return OK


def _list(console: Console, registry: Registry) -> None:
    table = Table("type", "what it does", box=None, header_style="bold", pad_edge=False)
    if registry.places:
        table.add_column("where")
    for node_type in registry:
        first = (node_type.__doc__ or "").strip().splitlines()[0]
        place = [registry.places.get(type_name(node_type), "")] if registry.places else []
        table.add_row(type_name(node_type), first, *place)
    console.print(table)


def _found(registry: Registry, name: str) -> type[Node]:
    node = registry.find(name)
    assert node is not None  # noqa: S101
    return node


def _unknown(name: str, console: Console, registry: Registry) -> int:
    remedy = did_you_mean(name, registry.names()) or "`headrace nodes` lists them"
    if name in registry.missing:
        remedy = f"it is in {registry.missing[name]}, which could not be loaded"
    console.print(f"There is no node type `{name}`: {remedy}", markup=False, highlight=False)
    return USAGE_ERROR
