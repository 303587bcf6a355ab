"""A graph as Mermaid text, which GitHub and most editors render."""

from __future__ import annotations

from ..blocks.registry import BLOCKS, PACKAGE, spec_of
from ..inspection.block_costs import build, measurable
from .flow import flow
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


def page() -> str:
    """Every block's drawing on one Markdown page."""
    parts = [
        "# What flows through each block\n\nMade by `yolo-plugins draw all > docs/blocks.md`; C×H×W on the arrows.\n"
    ]
    for block in (name for name in measurable() if BLOCKS[name].__module__ == PACKAGE):
        spec = spec_of(BLOCKS[block])
        given = {"c1": 64, "c2": 64, **(spec.example if spec else {})}
        module, full = build(block, given)
        options = [f"--{name.replace('_', '-')} {value}" for name, value in given.items() if name not in ("c1", "c2")]
        channels = [str(given["c1"]), *([str(given["c2"])] if full.get("c2", given["c1"]) != given["c1"] else [])]
        drawing = mermaid(flow(module, (given["c1"], 32, 32)))
        command = " ".join(["yolo-plugins draw", block, *channels, *options])
        parts.append(f"## {block}\n\n`{command}`\n\n```mermaid\n{drawing}\n```\n")
    return "\n".join(parts)
