"""The start-up file that lets every interpreter of an environment know the pack, and what is to be known about it.

Python runs the import line of `yolo_plugins.pth`, or from 3.15 on the entry point in `yolo_plugins.start` (PEP 829), at
each start. Both call a guard that stays silent if the package has gone; neither imports torch or Ultralytics.
"""

from __future__ import annotations

import os
import shutil
import site
import sys
import sysconfig
from pathlib import Path

from .. import __version__
from ..installed import installed_version

GUARD = '''"""Written by `yolo-plugins activate`; `yolo-plugins deactivate` removes it."""


def start():
    try:
        from patch_ultralytics import install_hook

        install_hook()
    except Exception:
        pass  # the package is gone or broken: Python starts all the same, and `yolo-plugins status` tells
'''

# In the order of writing; removal goes backwards, so that nothing ever refers to a file that is not there.
FILES = {
    "yolo_plugins_startup.py": GUARD,
    "yolo_plugins.start": "yolo_plugins_startup:start\n",
    "yolo_plugins.pth": "import yolo_plugins_startup; yolo_plugins_startup.start()\n",
}


UNFINISHED = ".part"


def activate(user: bool = False) -> tuple[Path, bool]:
    """Write the start-up files.

    Args:
        user: Into the user's own site-packages instead of the environment's.

    Returns:
        The folder, and whether anything had to be written.

    Raises:
        OSError: the folder cannot be written.
        RuntimeError: Python reads no start-up files there.
    """
    folder = Path(site.getusersitepackages() if user else sysconfig.get_path("purelib"))
    if user and not site.ENABLE_USER_SITE:
        raise RuntimeError(f"this Python does not read {folder}; in a virtual environment, activate without --user")
    if all(_content(folder / name) == content for name, content in FILES.items()):
        return folder, False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in FILES.items():
            _write(folder / name, content)
    except OSError as error:
        hint = "use a virtual environment" if user else "use a virtual environment, or `yolo-plugins activate --user`"
        raise OSError(f"cannot write into {folder} ({error.strerror}); {hint}") from error
    return folder, True


def deactivate() -> list[Path]:
    """Remove the start-up files from wherever `activate` of this environment may have written them.

    Returns:
        The files removed.

    Raises:
        OSError: a file cannot be removed.
    """
    removed = []
    for folder in _own_folders():
        left = [part for name in FILES for part in folder.glob(f"{name}.*{UNFINISHED}")]
        for path in [*(folder / name for name in reversed(FILES)), *left]:
            if not os.path.lexists(path):  # unlinking it would fail in another way where nothing may be written
                continue
            try:
                path.unlink()
            except OSError as error:
                raise OSError(f"cannot remove {path} ({error.strerror}); remove it by hand") from error
            removed.append(path)
        for compiled in (folder / "__pycache__").glob("yolo_plugins_startup.*.pyc"):
            compiled.unlink(missing_ok=True)
    return removed


def active_folders() -> list[Path]:
    """The folders with start-up files that this Python reads, its own first."""
    return [folder for folder in _read_folders() if _content(folder / "yolo_plugins.pth") is not None]


def status() -> dict[str, str]:
    """What is installed and active in this environment, as labelled lines."""
    from ..model_yamls import FOLDER
    from ..model_yamls import names as model_names

    try:
        import patch_ultralytics

        patch, tested = str(patch_ultralytics.__file__), " to ".join(patch_ultralytics.TESTED)
    except Exception as error:
        patch, tested = _damage(error), "unknown"
    active = active_folders()
    partial = [str(f) for f in active if any(_content(f / name) != content for name, content in FILES.items())]
    if partial:
        state = f"damaged in {partial[0]}: run `yolo-plugins activate` again"
    elif not active:
        state = "not active: run `yolo-plugins activate`"
    elif tested == "unknown":
        state = f"written in {active[0]}, but without effect, since the patch is damaged"
    elif os.environ.get("YOLO_PLUGINS") == "0":
        state = f"active in {active[0]}, but switched off here by YOLO_PLUGINS=0"
    else:
        state = f"active in {active[0]}"
    try:
        from ..inspection.listing import blocks

        names = [entry.name for entry in blocks()]
        listed = f"{len(names)}: {', '.join(names)}"
    except Exception as error:
        listed = _damage(error)
    return {
        "yolo-plugins": f"{__version__} in {Path(__file__).parents[1]}",
        "patch": patch,
        "start-up": state,
        "ultralytics": f"{_version('ultralytics')} (tested: {tested})",
        "torch": _version("torch"),
        "python": f"{sys.version.split()[0]} {sys.executable}",
        "yolo command": other_yolo() or shutil.which("yolo") or "not on the PATH",
        "blocks": listed,
        "model YAMLs": f"{len(model_names())} in {FOLDER}",
    }


def other_yolo() -> str | None:
    """The `yolo` command on the PATH, if it belongs to another Python than this one."""
    command = shutil.which("yolo")
    if command is None or Path(command).parent == Path(sysconfig.get_path("scripts")):
        return None
    same = Path(command).resolve().parent == Path(sys.executable).resolve().parent
    return None if same else command


def _own_folders() -> list[Path]:
    """Where `activate` of this Python writes: its environment, and the user's folder if this Python reads it."""
    folders = [sysconfig.get_path("purelib"), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    return [Path(folder) for folder in folders]


def _read_folders() -> list[Path]:
    """Where this Python reads start-up files: in a virtual environment with system packages, the system's too."""
    return list(dict.fromkeys([*_own_folders(), *map(Path, site.getsitepackages())]))


def _write(path: Path, text: str) -> None:
    """Write a file whole, under a name meanwhile that Python does not read at its start."""
    part = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _damage(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith(("yolo_plugins", "patch_ultralytics")):
        return f"unknown: {error.name} is not installed: pip install {str(error.name).partition('.')[0]}"
    reason = " ".join(str(error).split())
    return f"damaged ({type(error).__name__}: {reason}); run pip install --force-reinstall --no-deps yolo-plugins"


def _content(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def _version(package: str) -> str:
    return installed_version(package) or f"not installed: pip install {package}"
