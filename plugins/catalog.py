"""What blocks there are, read from the source without importing it, so that listing them does not wait for torch."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

SUPPLIED = {"self", "c1", "n"}
"""Parameters that a YAML row leaves out."""


@dataclass(frozen=True)
class Entry:
    """A block: its name, its YAML row's module and arguments, and the first sentence about it."""

    name: str
    row: str
    summary: str


def blocks() -> list[Entry]:
    """The pack's own blocks in the order of their registration."""
    folder = Path(__file__).parent
    classes: dict[str, ast.ClassDef] = {}
    names: list[str] = []
    for path in [*folder.glob("*.py"), *folder.glob("networks/*.py")]:
        for node in _statements(path):
            if isinstance(node, ast.ClassDef):
                classes[node.name] = node
            elif isinstance(node, ast.For) and path.name == "public.py" and isinstance(node.iter, ast.Tuple):
                names = [name.id for name in node.iter.elts if isinstance(name, ast.Name)]
    return [_entry(classes[name]) for name in names]


def heads() -> list[Entry]:
    """The pack's own heads, which the patch registers."""
    files = [Path(__file__).with_name(name) for name in ("lite_heads.py", "classify.py")]
    classes = [node for file in files for node in _statements(file) if isinstance(node, ast.ClassDef)]
    return [_entry(node) for node in classes if _is_row(node)]


def _is_row(node: ast.ClassDef) -> bool:
    """Whether YAML rows may name the class: it says how they read, as parts of heads do not."""
    targets = [target for line in node.body if isinstance(line, ast.Assign) for target in line.targets]
    return any(isinstance(target, ast.Name) and target.id == "row" for target in targets)


def _statements(path: Path) -> list[ast.stmt]:
    return ast.parse(path.read_text(encoding="utf-8")).body


def installed_blocks() -> list[tuple[str, str]]:
    """Blocks that other installed packages offer: name, and where it comes from."""
    return [(entry.name, entry.value) for entry in entry_points(group="yolo_plugins.blocks")]


def _entry(node: ast.ClassDef) -> Entry:
    summary = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ").rstrip(".")
    init = next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)
    arguments = []
    if init is not None:
        defaults = [None] * (len(init.args.args) - len(init.args.defaults)) + list(init.args.defaults)
        for argument, default in zip(init.args.args, defaults, strict=True):
            if argument.arg not in SUPPLIED:
                arguments.append(argument.arg if default is None else f"{argument.arg}={ast.unparse(default)}")
    return Entry(node.name, f"plugins.{node.name}, [{', '.join(arguments)}]", summary)
