"""A graph as Mermaid text, which GitHub and most editors render."""

from __future__ import annotations

from .graph import Graph, Node

BOX = '["{}"]'
FORMS = {"image": "([{}])", "output": "([{}])", "join": "{{{{{}}}}}"}
"""Mermaid's brackets for kinds of boxes that are no rectangles."""


def mermaid(graph: Graph) -> str:
    """The graph as a Mermaid flowchart."""
    lines = ["flowchart TD"]
    for node in graph.nodes:
        lines.append(f"    {node.key}{FORMS.get(node.kind, BOX).format(_said(node))}")
        lines += [f"    {edge.source} -->|{edge.shape}| {node.key}" for edge in graph.into(node.key)]
    if plugins := [node.key for node in graph.nodes if node.plugin and node.number]:
        lines += ["    classDef plugin fill:#FFC98A,stroke:#C2570C", f"    class {','.join(plugins)} plugin"]
    return "\n".join(lines)


def _said(node: Node) -> str:
    number = f"{node.number}: " if node.number else ""
    return number + ", ".join(filter(None, [node.words, node.note]))
