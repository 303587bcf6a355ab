"""Breaks the shipped model YAMLs in thousands of ways and reads each as `YOLO(file)` does.

    python tests/benchmarks/bad_input.py --mutants 2210 -o tests/benchmarks/results/bad_input.md

Each mutant must build and run, or be refused in one sentence: no other exception, no more than 5 s of processor time,
nothing executed, no memory by the gigabyte. Takes several minutes of processor time; `--from N` goes on at a mutant.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from bad_yaml import BASES, KINDS, mutant
from bad_yaml_runs import GOOD, End, ends, table
from yolo_plugins.files import write_text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=130 * len(KINDS))
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600, help="begin no mutant after so long")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    for option in ("mutants", "processes"):
        if getattr(args, option) < 1:
            parser.error(f"--{option} {getattr(args, option)} must be 1 or more")
    numbers, stop = range(args.first, args.first + args.mutants), time.monotonic() + 60 * args.minutes

    def run(share: range) -> list[End]:
        """How the mutants of one share end, in a process of their own."""
        found = []
        for end in ends(mutant(number, args.seed) for number in share):
            found.append(end)
            if end.end not in GOOD:
                print(f"{end.mutant.number} {end.mutant.kind} {end.mutant.base}: {end.end} {end.message}", flush=True)
            if len(found) % 100 == 0:
                print(f"{len(found)} of {len(share)}", flush=True)
            if time.monotonic() > stop:
                break
        return found

    with ThreadPoolExecutor(args.processes) as pool:
        shares = pool.map(run, [numbers[k :: args.processes] for k in range(args.processes)])
        found = [end for share in shares for end in share]
    import torch
    import ultralytics

    text = (
        f"{len(found)} mutants of {len(BASES)} YAMLs, seed {args.seed}; torch {torch.__version__}, "
        f"Ultralytics {ultralytics.__version__}; slowest {max(end.seconds for end in found):.1f} s of processor time, "
        f"peak memory of the process {max(end.gigabytes for end in found):.1f}·10⁹ bytes\n\n{table(found)}\n"
    )
    print(text)
    if args.output:
        write_text(args.output, f"# Broken model YAMLs: the last result\n\n{text}")
    return int(any(end.end not in GOOD for end in found))


if __name__ == "__main__":
    sys.exit(main())
