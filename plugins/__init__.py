"""Light, plug-and-play blocks for YOLO and for any other torch model.

`import yolo_plugins` costs nothing: the blocks, and torch with them, are imported when a name is first used.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

if __name__ != "yolo_plugins":
    # A second set of classes under another name would not be the ones that checkpoints refer to.
    raise ImportError(
        f"this folder was imported as {__name__!r}; its name is 'yolo_plugins': "
        "run `pip install -e .` in the folder above it, then `import yolo_plugins`"
    )

__version__ = "0.1.0"

# Loading a checkpoint imports this package, whether or not the pack is activated: what is missing then must be said.
import_module(".checkpoint_format", __name__).name_missing_modules()
with suppress(Exception):  # half an install: the blocks work without the patch, and `yolo-plugins status` tells
    import_module("patch_ultralytics").explain_rows()

if TYPE_CHECKING:
    from .public import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if name.startswith("__") and name != "__all__":
        raise AttributeError(f"module 'yolo_plugins' has no attribute {name!r}")
    return getattr(import_module(".public", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *import_module(".public", __name__).__all__])
