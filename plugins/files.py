"""Files written whole or not at all, and YAML read as plain data."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write(path: Path, save: Callable[[Path], object], *, force: bool = True) -> None:
    """Have `save` write to a temporary file beside `path`, then give it its name.

    Raises:
        FileExistsError: `path` exists, and `force` is not set.
        OSError: the folder does not exist or cannot be written.
    """
    if path.exists() and not force:
        raise FileExistsError(f"{path} exists; --force replaces it, -o gives another name")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder of {path} does not exist")
    folder = path.absolute().parent
    handle, name = tempfile.mkstemp(prefix=unfinished(path.stem, folder), suffix=path.suffix, dir=folder)
    os.close(handle)
    try:
        save(Path(name))
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # mkstemp's files are private
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def unfinished(name: str, folder: Path) -> str:
    """What names of files and folders begin with that this process has not finished in a folder.

    What processes that were killed have left there under such names is removed.
    """
    begin = f".{name}-"
    for entry in os.scandir(folder) if folder.is_dir() else ():
        if entry.name.startswith(begin) and (found := re.match(r"(\d+)-", entry.name[len(begin) :])):
            import psutil  # which comes with Ultralytics

            if psutil.pid_exists(int(found[1])):
                continue
            if entry.is_dir():
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink(missing_ok=True)
    return f"{begin}{os.getpid()}-"


def read_yaml(path: Path) -> Any:
    """What a YAML file holds, as plain data.

    Raises:
        ValueError: it is not YAML.
        OSError: it cannot be read.
    """
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from error


def write_text(path: Path, text: str, *, force: bool = True) -> None:
    """`write` of a text, its line ends as they are.

    Raises:
        OSError: as `write`.
    """
    write(path, lambda file: file.write_text(text, encoding="utf-8", newline=""), force=force)


def write_bytes(path: Path, data: bytes, *, force: bool = True) -> None:
    """`write` of bytes.

    Raises:
        OSError: as `write`.
    """
    write(path, lambda file: file.write_bytes(data), force=force)
