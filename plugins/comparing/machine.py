"""What a comparison ran on, for the end of its report."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from .formats import versions


def describe(formats: Iterable[str], threads: int) -> dict[str, str]:
    """Machine, processor, threads and versions, as labelled lines."""
    import psutil
    from ultralytics.utils.torch_utils import get_cpu_info

    packages: dict[str, str] = {}
    for name in formats:
        packages |= versions(name)
    cores = psutil.cpu_count(logical=False) or os.cpu_count()
    return {
        "machine": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": f"{get_cpu_info()}, {cores} cores, {os.cpu_count()} logical",
        "memory": f"{psutil.virtual_memory().total / 1e9:.1f} GB",
        "threads": f"{threads} for every runtime",
        "python": sys.version.split()[0],
        "versions": ", ".join(f"{name} {number}" for name, number in packages.items()),
        "load before": _load(),
    }


def _load() -> str:
    """How many processes wanted a core over the last minute, this one's among them."""
    try:
        return f"{os.getloadavg()[0]:.2f} processes wanted a core"
    except (AttributeError, OSError):
        return "not known"


def command() -> str:
    """The command line that runs this process."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
