"""Times of every block beside what it stands for, in ONNX Runtime, OpenVINO and NCNN, on maps of strides 8, 16 and 32.

Usage: python tests/benchmarks/block_latency.py [BLOCK …] [--threads 2] [--seconds 1.0] [--again] [-o FILE]

A block is fused and exported alone, in the arguments that its card shows, at stride 16 with twice the channels and at
32 with four times; gates lie in a C2f, beside a C2f without them. The two run in turns in one process, the best of
three in each turn, for so many seconds for each runtime: about twenty minutes for all. What is measured is kept after
every stride, and the same command goes on where it stopped; --again measures anew. `python docs/tables.py` then puts
it into the cards. Heads and stages of networks are timed in whole models, by `yolo-plugins compare`.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from timeit import repeat
from typing import Any

import torch
from exporting import exported
from torch import Tensor, nn
from yolo_plugins import BLOCKS, fuse
from yolo_plugins.blocks.registry import PACKAGE, find, spec_of
from yolo_plugins.comparing import ratio
from yolo_plugins.comparing.formats import absent, not_installed
from yolo_plugins.comparing.machine import describe
from yolo_plugins.files import write_text
from yolo_plugins.inspection.block_costs import call
from yolo_plugins.inspection.counterparts import Pair, example, maps, pair
from yolo_plugins.inspection.latency import FILE, IMAGE, RUNTIMES, STRIDES, measured, written
from yolo_plugins.inspection.listing import blocks

FEWEST = 8
"""Turns, however long one takes."""

Run = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("blocks", metavar="BLOCK", nargs="*", help="by default all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.0, help="of timing, for each block, stride and runtime")
    parser.add_argument("--again", action="store_true", help="measure what is measured already, too")
    parser.add_argument("-o", "--output", type=Path, default=FILE)
    args = parser.parse_args()
    try:
        measure(args)
    except (OSError, ValueError) as error:
        sys.exit(f"{error}")


def measure(args: argparse.Namespace) -> None:
    """Measure what is asked for and not measured yet, and keep it after every stride.

    Raises:
        ValueError: no such block, a runtime that is not installed, or results of another machine or versions.
    """
    for form in RUNTIMES:
        if lacking := absent(form):
            raise ValueError(f"{RUNTIMES[form]}: {not_installed(lacking)}")
    names = [find(name).__name__ for name in args.blocks] or [
        entry.name for entry in blocks() if BLOCKS[entry.name].__module__ == PACKAGE
    ]
    torch.set_num_threads(args.threads)
    machine = describe(RUNTIMES, args.threads)
    load = machine.pop("load before")
    machine = {key: machine[key] for key in ("processor", "threads", "versions")}
    results = measured(args.output)
    if results["machine"] not in ({}, machine):
        if not args.again or args.blocks:
            raise ValueError(f"{args.output} is of another machine or other versions; give -o, or --again for all")
        results = {"machine": {}, "blocks": {}}
    results["machine"] = machine
    print(f"{load}; times are worth something on a quiet machine", flush=True)
    with tempfile.TemporaryDirectory(prefix="block-latency-") as folder:
        bench = Bench(Path(folder), args.threads, args.seconds)
        for name in names:
            for stride in STRIDES:
                _measure_one(name, stride, results, bench, args)


def _measure_one(name: str, stride: int, results: dict[str, Any], bench: "Bench", args: argparse.Namespace) -> None:
    """A block at one stride, into the results and their file."""
    spec = spec_of(BLOCKS[name])
    assert spec is not None
    if spec.task or spec.row == "network":
        return
    full = example(name, STRIDES[stride])
    of = call(name, full)
    strides = results["blocks"].get(name, {}).get("strides", {})
    beside = pair(name, full)
    if beside is None or (strides.get(str(stride), {}).get("call") == of and not args.again):
        return
    started = time.monotonic()
    times = bench.timed(beside, maps(name, beside.channels, IMAGE // stride), spec.limits)
    words = "a C2f without it" if spec.gate else beside.words
    results["blocks"][name] = {"beside": words, "strides": {**strides, str(stride): {"call": of, **times}}}
    write_text(args.output, written(results))
    shown = [f"{form} {t.get('error') or t['ratio']}" for form, t in times.items()]
    print(f"{of} at stride {stride}: {', '.join(shown)}; {time.monotonic() - started:.0f} s", flush=True)


class Bench:
    """Exports and times pairs; what a block stands for is exported once for all that stand for it."""

    def __init__(self, folder: Path, threads: int, seconds: float) -> None:
        self.folder, self.threads, self.seconds = folder, threads, seconds
        self.known: dict[tuple[str, tuple[int, ...]], Path] = {}
        self.runs: dict[tuple[Path, str], Run] = {}

    def timed(self, beside: Pair, image: Tensor | list[Tensor], limits: Mapping[str, str]) -> dict[str, Any]:
        """Times and their ratio by runtime; what could not be run is said in its place, as is what needs no trying."""
        x = torch.cat(image, dim=1) if isinstance(image, list) else image
        networks = [_OneInput(fuse(m.eval()), image).requires_grad_(False) for m in (beside.ours, beside.other)]
        found: dict[str, Any] = {}
        for form in RUNTIMES:
            if form in limits:
                found[form] = {"error": limits[form]}
                continue
            try:
                ours, other = in_turns([self._run(network, x, form) for network in networks], self.seconds)
            except Exception as error:  # a runtime's own, of any kind
                found[form] = {"error": f"{error}".splitlines()[0][:120]}
                continue
            r = ratio(other, ours)
            times = {"ms": median(ours), "beside_ms": median(other), "ratio": r.median, "low": r.low, "high": r.high}
            found[form] = {key: round(value, 4) for key, value in times.items() if value is not None}
        return found

    def _run(self, network: nn.Module, x: Tensor, form: str) -> Run:
        folder = self.known.setdefault((str(network), tuple(x.shape)), self.folder / str(len(self.known)))
        folder.mkdir(exist_ok=True)
        if (folder, form) not in self.runs:
            runner, array = exported(network, x, form, folder, self.threads, by_onnx=True), x.numpy()
            self.runs[folder, form] = lambda: runner(array)
        return self.runs[folder, form]


def in_turns(runs: list[Run], seconds: float) -> list[list[float]]:
    """Milliseconds of each, turn by turn, the best of three in a turn."""
    for run in runs:
        run()
        run()
    times: list[list[float]] = [[] for _ in runs]
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(times[0]) < FEWEST:
        for run, own in zip(runs, times, strict=True):
            own.append(1000 * min(repeat(run, repeat=3, number=1)))
    return times


class _OneInput(nn.Module):
    """A block of several inputs as one of a single input, which is split into them."""

    def __init__(self, block: nn.Module, image: Tensor | list[Tensor]) -> None:
        super().__init__()
        self.block = block
        self.widths = [x.shape[1] for x in image] if isinstance(image, list) else []

    def forward(self, x: Tensor) -> Tensor:
        return self.block(list(x.split(self.widths, dim=1)) if self.widths else x)


if __name__ == "__main__":
    main()
