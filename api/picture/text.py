"""Pictures as text for other tools: Mermaid and DOT. Both name nodes by number, so a node's id is only ever a label."""

from api.picture.layout import END, Picture
from api.picture.taken import Taken


def mermaid(drawn: Picture, path: Taken | None = None) -> str:
    """Return a Mermaid flowchart; the nodes of a run's path have classes."""
    names = {node.id: f"n{number}" for number, node in enumerate(drawn.nodes)}
    lines = ["flowchart TD"]
    for node in drawn.nodes:
        label = "failed" if node.id == END else f"{_mermaid(node.id)}<br/><small>{_mermaid(node.type)}</small>"
        lines.append(f'  {names[node.id]}["{label}"]')
    for edge in drawn.edges:
        label = f'|"{_mermaid(edge.text)}"|' if edge.text else ""
        dry = path is not None and (edge.source, edge.target) not in path.edges and edge.target != END
        lines.append(f"  {names[edge.source]} {'-.->' if dry else '-->'}{label} {names[edge.target]}")
    if path is not None:
        lines += ["  classDef ran fill:#dceef2,stroke:#2b93b3", "  classDef bad fill:#fbe9e5,stroke:#c8412f"]
        lines.append("  classDef mind fill:#f8efd9,stroke:#b98212")
        lines += [f"  class {names[id]} {state}" for id, (_, state) in path.nodes.items() if id in names]
    return "\n".join(lines) + "\n"


def dot(drawn: Picture, path: Taken | None = None) -> str:
    """Return a graph in the language of Graphviz; what a run did not go through is dashed."""
    names = {node.id: f"n{number}" for number, node in enumerate(drawn.nodes)}
    lines = ["digraph {", "  node [shape=box, style=rounded];"]
    for node in drawn.nodes:
        label = "failed" if node.id == END else f"{_dot(node.id)}\\n{_dot(node.type)}"
        dry = path is not None and node.id not in path.nodes and node.id != END
        style = ', style="rounded,dashed"' if dry else ""
        lines.append(f'  {names[node.id]} [label="{label}"{style}];')
    for edge in drawn.edges:
        dry = path is not None and (edge.source, edge.target) not in path.edges and edge.target != END
        style = ", style=dashed" if dry else ""
        lines.append(f'  {names[edge.source]} -> {names[edge.target]} [label="{_dot(edge.text)}"{style}];')
    return "\n".join([*lines, "}"]) + "\n"


def _mermaid(text: str) -> str:
    """The text with all but plain characters as entities of Mermaid."""
    return "".join(char if char.isalnum() or char in " ._-·" else f"#{ord(char)};" for char in text)


def _dot(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
