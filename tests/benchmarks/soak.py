"""Builds, fuses and exports every model YAML again and again in one process: memory and registries must not grow.

    python tests/benchmarks/soak.py --cycles 200 -o tests/benchmarks/results/soak.md

One cycle builds each YAML at its smallest scale, fuses it and exports it to TorchScript through Ultralytics' own
`YOLO(…).export`, at 32×32. A run that is out of time ends after a whole cycle and says how many there were. A stock
YAML goes along as a control: what it leaks is not the pack's. torch keeps the types of every module that it traced,
for `torch.jit.trace` of 480 plain modules 49·10⁶ bytes each time; they are made to be forgotten after each export.
"""

import argparse
import ctypes
import gc
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

import torch
from torch.nn.modules import module as torch_modules
from yolo_plugins.blocks.registry import BLOCKS
from yolo_plugins.files import write_text
from yolo_plugins.model_yamls import names as own_models
from yolo_plugins.models.building import quiet, yolo
from yolo_plugins.rows.yaml_files import with_scale
from yolo_plugins.tables import table

FLAT = 10.0
"""10⁶ bytes that the second half of the cycles may add."""


def cycle(model: str) -> None:
    """Build, fuse and export one model to TorchScript, in a folder of its own."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        os.chdir(folder)
        try:
            built = yolo(model)
            built.fuse()
            assert Path(built.export(format="torchscript", imgsz=32)).stat().st_size > 10_000
        finally:
            os.chdir(here)
            forget_traces()


def forget_traces() -> None:
    """Have torch drop what it keeps of every module that it traced."""
    torch.jit._state._clear_class_state()
    torch._C._jit_clear_class_registry()
    torch.jit._state._python_cu.drop_all_functions()
    torch.jit._recursive.concrete_type_store = torch.jit._recursive.ConcreteTypeStore()


def resident() -> float:
    """Resident memory of this process in 10⁶ bytes, after a collection of garbage and what malloc holds in reserve."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def registries() -> dict[str, int]:
    """The sizes of whatever could grow with each model."""
    from ultralytics.nn import tasks

    hooks = [kept for name, kept in vars(torch_modules).items() if name.startswith("_global_")]
    return {
        "blocks": len(BLOCKS),
        "names in ultralytics.nn.tasks": len(vars(tasks)),
        "finders": len(sys.meta_path),
        "hooks of all modules": sum(len(kept) for kept in hooks if isinstance(kept, dict)),
        "safe globals": len(torch.serialization.get_safe_globals()),
        "function modes": torch._C._len_torch_function_stack(),
        "modules alive": sum(issubclass(type(thing), torch.nn.Module) for thing in gc.get_objects()),
    }


def soak(names: list[str], cycles: int, seconds: float) -> tuple[list[float], dict[str, int], dict[str, int]]:
    """Resident memory after each cycle, and the registries after the first and after the last."""
    torch.set_num_threads(1)
    begin = time.monotonic()
    memory: list[float] = []
    first: dict[str, int] = {}
    for _ in range(cycles):
        with quiet():
            for name in names:
                cycle(name)
        memory.append(resident())
        spent = time.monotonic() - begin
        print(f"cycle {len(memory)}: {memory[-1]:.0f}·10⁶ bytes, {spent:.0f} s", flush=True)
        first = first or registries()
        if spent + spent / len(memory) > seconds:
            break
    return memory, first, registries()


def report(names: list[str], memory: list[float], first: dict[str, int], last: dict[str, int]) -> str:
    """The figures as Markdown."""
    import ultralytics

    at = {"first": 0, "fifth": min(4, len(memory) - 1), "middle": len(memory) // 2, "last": len(memory) - 1}
    sizes = [{"after cycle": f"{which} ({i + 1})", "resident, 10⁶ bytes": round(memory[i])} for which, i in at.items()]
    grown = [{"registry": name, "after the first cycle": first[name], "after the last": last[name]} for name in first]
    return (
        f"{len(memory)} cycles of {len(names)} YAMLs, {len(memory) * len(names)} exports; "
        f"torch {torch.__version__}, Ultralytics {ultralytics.__version__}\n\n{table(sizes, 'markdown')}\n\n"
        f"{table(grown, 'markdown')}\n\nYAMLs: {', '.join(names)}\n"
    )


def main() -> int:
    warnings.filterwarnings("ignore", category=FutureWarning)  # torch.jit.trace is deprecated
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=120, help="no cycle begins that would end later")
    parser.add_argument("--models", nargs="+", help="by default all YAMLs of the pack, and yolov8n.yaml")
    parser.add_argument("-o", "--output", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    names = args.models or [*(with_scale(name, "n") for name in own_models()), "yolov8n.yaml"]
    memory, first, last = soak(names, args.cycles, args.minutes * 60)
    text = report(names, memory, first, last)
    print(text)
    if args.output:
        write_text(args.output, f"# Soak: the last result\n\n{text}")
    grown = [name for name in first if last[name] != first[name]]
    print(
        f"{len(memory)} cycles of {len(names)} YAMLs: {memory[0]:.0f}·10⁶ bytes after the first, {memory[-1]:.0f} "
        f"after the last; registries that changed: {', '.join(grown) or 'none'}"
    )
    return int(bool(grown) or memory[-1] - memory[len(memory) // 2] > FLAT)


if __name__ == "__main__":
    sys.exit(main())
