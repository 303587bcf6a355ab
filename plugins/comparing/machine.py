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
        "instruction sets": instruction_sets(),
        "memory": f"{psutil.virtual_memory().total / 1e9:.1f} GB",
        "threads": f"{threads} for every runtime",
        "python": sys.version.split()[0],
        "versions": ", ".join(f"{name} {number}" for name, number in packages.items()),
        "load before": _load(),
    }


INTEL = {
    "AVX2": "avx2", "AVX-512": "avx512f", "AVX-512 VNNI": "avx512_vnni", "AVX-VNNI": "avx_vnni",
    "bfloat16": "avx512_bf16", "AMX for 8 bits": "amx_int8", "AMX for bfloat16": "amx_bf16",
}  # fmt: skip
ARM = {"NEON": "asimd", "dotprod": "asimddp", "16-bit floats": "asimdhp", "i8mm": "i8mm", "bfloat16": "bf16"}
"""By their names in /proc/cpuinfo: what decides how fast few bits are computed."""


def instruction_sets(flags: str | None = None) -> str:
    """Those that few bits hang on: which the processor has, and which of its kind it lacks.

    Args:
        flags: As /proc/cpuinfo lists them; by default this machine's.
    """
    found = set((_flags() if flags is None else flags).split())
    if not found:
        return "what could not be read here"
    table = ARM if "asimd" in found else INTEL
    here = [name for name, flag in table.items() if flag in found]
    lacking = [name for name, flag in table.items() if flag not in found]
    return f"{', '.join(here) or 'none of note'}" + (f" (without {', '.join(lacking)})" if lacking else "")


def adds_in_32_bits(flags: str | None = None) -> bool:
    """Whether the processor adds products of 8 bits in 32, as all but x86 do, and there those with VNNI or AMX.

    Args:
        flags: As for `instruction_sets`.
    """
    found = set((_flags() if flags is None else flags).split())
    return "avx2" not in found or not found.isdisjoint({"avx512_vnni", "avx_vnni", "amx_int8"})


def _flags() -> str:
    """The processor's flags: from Linux, or from macOS, where Apple's chips name theirs otherwise."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "asimd asimddp asimdhp" if (platform.system(), platform.machine()) == ("Darwin", "arm64") else ""
    return next((line.partition(":")[2] for line in lines if line.startswith(("flags", "Features"))), "")


def _load() -> str:
    """How many processes wanted a core over the last minute, this one's among them."""
    try:
        return f"{os.getloadavg()[0]:.2f} processes wanted a core"
    except (AttributeError, OSError):
        return "not known"


def command() -> str:
    """The command line that runs this process."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])
