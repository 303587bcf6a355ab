"""What is drawn: boxes and the arrows between them, and how repeats become one box."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

IMAGE = "image"
JOINS = {"Concat", "CBLinear", "CBFuse", "Index", "WeightedSum"}


@dataclass(frozen=True)
class Node:
    """A box.

    Attributes:
        key: Its name in the graph.
        title: What it is, such as the block's class.
        note: What is to be known besides, such as the kernel.
        kind: What it looks like: image, conv, stage, pool, attention, resample, join, head, layer, output.
        number: The row's number, or the first and last of those folded.
        times: How often it is repeated.
        plugin: Whether it is one of the pack's, or registered with it.
        part: "backbone", "neck" or "head" of a model.
        stride: Pixels of the image for one element of its map.
        group: What boxes must share, besides title and note, to be folded; such as the branch that they lie in.
    """

    key: str
    title: str
    note: str = ""
    kind: str = "layer"
    number: str = ""
    times: int = 1
    plugin: bool = False
    part: str = ""
    stride: int = 1
    group: str = ""

    @property
    def words(self) -> str:
        """Title and repeats."""
        return f"{self.title} ×{self.times}" if self.times > 1 else self.title


@dataclass(frozen=True)
class Edge:
    """An arrow from box to box, with the shape of what flows along it."""

    source: str
    target: str
    shape: str = ""


@dataclass
class Graph:
    """Boxes in the order in which they run, and arrows."""

    nodes: list[Node] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)

    def node(self, key: str) -> Node:
        """The box of that name."""
        return next(node for node in self.nodes if node.key == key)

    def into(self, key: str) -> list[Edge]:
        """The arrows that end in a box."""
        return [edge for edge in self.edges if edge.target == key]

    def out_of(self, key: str) -> list[Edge]:
        """The arrows that begin at a box."""
        return [edge for edge in self.edges if edge.source == key]


def folded(graph: Graph) -> Graph:
    """The graph with chains of like boxes as one box each, its repeats counted.

    Boxes are folded where each takes the former alone, and what else takes the former takes it as well.
    """
    chains: list[list[Node]] = []
    by_key: dict[str, int] = {}
    for node in graph.nodes:
        sources = graph.into(node.key)
        chain = by_key.get(sources[0].source) if len(sources) == 1 else None
        if chain is not None and _continues(graph, chains[chain], node):
            chains[chain].append(node)
        else:
            chain = len(chains)
            chains.append([node])
        by_key[node.key] = chain
    nodes = [_one(chain) for chain in chains]
    shapes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for edge in graph.edges:
        source, target = by_key[edge.source], by_key[edge.target]
        if source != target:
            shapes[nodes[source].key, nodes[target].key].append(edge.shape)
    edges = [Edge(*ends, _together(found)) for ends, found in shapes.items()]
    return Graph(nodes, edges)


def _continues(graph: Graph, chain: Sequence[Node], node: Node) -> bool:
    last = chain[-1]
    if node.kind in ("image", "join", "head", "output") or _looks(node) != _looks(last):
        return False
    (given,), made = graph.into(node.key), graph.out_of(node.key)
    if given.source != last.key or {edge.shape for edge in made} - {given.shape}:
        return False
    others = {edge.target for edge in graph.out_of(last.key)} - {node.key}
    return others <= {edge.target for edge in made}


def _looks(node: Node) -> tuple[object, ...]:
    return node.title, node.note, node.kind, node.part, node.stride, node.times, node.group


def _one(chain: Sequence[Node]) -> Node:
    first, last = chain[0], chain[-1]
    if len(chain) == 1:
        return first
    number = f"{first.number}–{last.number}" if first.number else ""
    if first.times > 1:
        return replace(first, number=number, title=f"({first.words})", times=len(chain))
    return replace(first, number=number, times=len(chain))


def _together(shapes: Sequence[str]) -> str:
    """One arrow's shape for several."""
    if len(shapes) > 1 and len(set(shapes)) == 1:
        return f"{len(shapes)} maps"
    return shapes[0]


def levels_merged(graph: Graph) -> Graph:
    """The graph with boxes that do the same at several levels as one, such as a head's branches.

    Two boxes do the same where title, `group`, and the boxes before them agree.
    """
    first: dict[str, Node] = {}
    one: dict[str, str] = {}  # the box that stands for each
    for node in graph.nodes:
        before = sorted({one[edge.source] for edge in graph.into(node.key)})
        what = repr((node.title, node.kind, node.group, before))
        one[node.key] = first.setdefault(what, node).key
    edges: dict[tuple[str, str], Edge] = {}
    for edge in graph.edges:
        ends = one[edge.source], one[edge.target]
        edges.setdefault(ends, Edge(*ends, edge.shape))
    return Graph(list(first.values()), list(edges.values()))
