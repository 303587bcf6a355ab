"""Everything that takes too long for the suite, one after another; each writes its result into the repository.

Usage: python tests/long_run.py [versions] [soak] [tests]
"""

import argparse
import subprocess
import sys
from pathlib import Path

RUNS = {
    "versions": ["tests/version_matrix.py"],
    "soak": ["tests/benchmarks/soak.py", "-o", "tests/benchmarks/results/soak.md"],
    "tests": ["-m", "pytest", "-m", "slow", "-n", "0"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"of {', '.join(RUNS)}; by default all")
    chosen = parser.parse_args().runs or list(RUNS)
    if unknown := [name for name in chosen if name not in RUNS]:
        parser.error(f"{unknown[0]} is not one of {', '.join(RUNS)}")
    failed = []
    for name in chosen:
        print(f"== {name}: python {' '.join(RUNS[name])}", flush=True)
        if subprocess.run([sys.executable, *RUNS[name]], cwd=Path(__file__).parents[1]).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "all as they should be")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
