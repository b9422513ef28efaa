"""Pictures of flows: the layout of a compiled flow as a value, and its drawings as SVG, Mermaid and DOT."""
