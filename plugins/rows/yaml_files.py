"""Where a model YAML's name leads: a path, a YAML of the pack, or one that the installed Ultralytics ships.

Neither torch nor Ultralytics is imported: a misspelt name is answered at once.
"""

from __future__ import annotations

import difflib
import importlib.util
import os
import re
from collections.abc import Callable
from logging import Logger
from pathlib import Path
from typing import Any

from ..model_yamls import FOLDER, names

FAMILY = r"(?P<family>yolo(?:e-)?v?\d+)"
NAME = re.compile(rf"^{FAMILY}(?P<scale>[nslmx])?(?=[-.]|$)")
"""A model's file name: its family, such as yolov8, and the scale letter where it has one."""


def family_of(name: str) -> str:
    """yolov8n-ghost.yaml → yolov8; empty for a name of another form."""
    found = re.match(FAMILY, name)
    return found["family"] if found else ""


def without_scale(name: str) -> str:
    """yolov8n-ghost.yaml → yolov8-ghost.yaml."""
    return NAME.sub(r"\g<family>", name)


def with_scale(name: str, scale: str) -> str:
    """yolov8-ghost.yaml → yolov8n-ghost.yaml; a name that has a letter keeps it."""
    found = NAME.match(name)
    return name if found is None or found["scale"] else f"{found['family']}{scale}{name[found.end() :]}"


def own_file(name: str) -> Path | None:
    """The pack's file for a bare name with or without a scale letter (`yolov8n-ghost.yaml` → `yolov8-ghost.yaml`)."""
    for candidate in (name, without_scale(name)):
        path = FOLDER / candidate
        if candidate == path.name and path.suffix == ".yaml" and path.is_file():
            return path
    return None


def nearest_own(name: str) -> list[str]:
    """Names of the pack's files that a misspelt name may mean, with its scale letter."""
    found = NAME.match(name)
    scale = (found["scale"] if found else None) or "n"
    return difflib.get_close_matches(name, [with_scale(known, scale) for known in names()], n=2, cutoff=0.9)


def locate(model: str) -> Path:
    """The file of that path, or of that bare name with or without a scale letter; the pack's come first.

    Raises:
        FileNotFoundError: there is none; names near ones.
    """
    path = Path(model)
    for candidate in (path, path.with_name(without_scale(path.name))):
        if path.name and candidate.is_file():
            return candidate
    return own_file(model) or stock_file(model, [with_scale(name, "n") for name in names()])


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
    for candidate in (name, without_scale(name)):
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


def looking_here_too(check_yaml: Callable[..., Any], logger: Logger) -> Callable[..., Any]:
    """Ultralytics' `check_yaml`, finding the pack's files by bare name as well.

    A file in the working directory wins over ours, and ours over one that Ultralytics ships under the same name, which
    is said once. A user's file with plug-in rows is found by its name with a scale letter, in a folder of any name:
    Ultralytics itself drops the first letter after a digit in the whole path, a folder's (`5s/`) before the file's.
    """
    said: set[str] = set()

    def check(file: Any, *args: Any, **kwargs: Any) -> Any:
        name = str(file)
        if (scaled := _without_its_scale(Path(name))) is not None:
            return str(scaled)
        ours = own_file(name)
        if ours is None or os.path.exists(name) or os.path.exists(ours.name):
            try:
                return check_yaml(file, *args, **kwargs)
            except FileNotFoundError as error:
                if (near := nearest_own(name)) and hasattr(error, "add_note"):
                    error.add_note(f"did you mean {' or '.join(near)}, of yolo-plugins?")
                raise
        if ours.name not in said and check_yaml(ours.name, hard=False):
            said.add(ours.name)
            logger.info(f"{ours.name}: yolo-plugins' model is used, not Ultralytics' of the same name")
        return str(ours)

    return check


def _without_its_scale(path: Path) -> Path | None:
    """The file with plug-in rows that a path with a folder and a scale letter means; None for all others."""
    file = path.with_name(without_scale(path.name)) if path.name else path
    if len(path.parts) < 2 or file == path or path.exists() or not file.is_file():
        return None
    return file if b"plugins." in file.read_bytes() else None
