"""Where a model YAML's name leads: a path, a YAML of the pack, or one that the installed Ultralytics ships.

Neither torch nor Ultralytics is imported: a misspelt name is answered at once.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
from pathlib import Path

from .model_yamls import find, names

SCALED = re.compile(r"^(yolo(?:e-)?v?\d+)[nslmx](?=[-.])")


def locate(model: str) -> Path:
    """The file of that path, or of that bare name with or without a scale letter; the pack's come first.

    Raises:
        FileNotFoundError: there is none; names near ones.
    """
    if Path(model).is_file():
        return Path(model)
    return find(model) or stock_file(model, [re.sub(r"^(yolov?\d+)(?=[-.])", r"\1n", name) for name in names()])


def stock_file(model: str, others: list[str] | None = None) -> Path:
    """The YAML of that path, or the one of that bare name, scale letter or not, that the installed Ultralytics ships.

    Args:
        model: The name or path.
        others: Further names to suggest for a misspelt one.

    Raises:
        FileNotFoundError: there is none; names near ones.
    """
    if Path(model).is_file():
        return Path(model)
    shipped = {path.name: path for path in stock_files()}
    name = model if model.endswith((".yaml", ".yml")) else f"{model}.yaml"
    for candidate in (name, SCALED.sub(r"\1", name)):
        if candidate in shipped:
            return shipped[candidate]
    near = difflib.get_close_matches(name[:100], [*(others or []), *shipped], n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"Ultralytics ships {len(shipped)}, such as yolov8.yaml"
    raise FileNotFoundError(f"{model} is neither a file nor a model YAML of the installed Ultralytics; {hint}")


def stock_files() -> list[Path]:
    """Every model YAML that the installed Ultralytics ships."""
    spec = importlib.util.find_spec("ultralytics")
    if spec is None or spec.origin is None:
        return []
    return sorted((Path(spec.origin).parent / "cfg" / "models").rglob("*.yaml"))


def with_scale(name: str, scale: str) -> str:
    """A YAML's name with a scale letter, where it has none: yolov8-ghost.yaml → yolov8n-ghost.yaml."""
    return re.sub(r"^(yolo(?:e-)?v?\d+)(?=[-.])", rf"\g<1>{scale}", name)
