"""Breaks the shipped model YAMLs in thousands of ways and reads each as `YOLO(file)` does.

    python tests/benchmarks/bad_input.py --mutants 2210 -o tests/benchmarks/results/bad_input.md

Each mutant must build and run, or be refused in one sentence: no other exception, no more than 5 s of processor time,
nothing executed, no memory by the gigabyte. Takes several minutes of processor time; `--from N` goes on at a mutant.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from bad_yaml import BASES, KINDS, mutant
from bad_yaml_runs import GOOD, ends, table
from yolo_plugins.files import write_text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=130 * len(KINDS))
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=600, help="begin no mutant after so long")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    if args.mutants < 1:
        parser.error(f"--mutants {args.mutants} must be 1 or more")
    found, stop = [], time.monotonic() + 60 * args.minutes
    for end in ends(mutant(number, args.seed) for number in range(args.first, args.first + args.mutants)):
        found.append(end)
        if end.end not in GOOD:
            print(f"{end.mutant.number} {end.mutant.kind} {end.mutant.base}: {end.end} {end.message}", flush=True)
        if len(found) % 100 == 0:
            print(f"{len(found)} of {args.mutants}", flush=True)
        if time.monotonic() > stop:
            break
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
