"""What the start-up file costs a bare `python -c pass`: medians of paired runs, one beside the other.

Usage: python tests/benchmarks/startup.py [pairs]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from conftest import Environment, make_environment


def seconds(environment: Environment) -> float:
    """Wall time of one bare start."""
    start = time.perf_counter()
    subprocess.run([environment.python, "-c", "pass"], check=True)
    return time.perf_counter() - start


def main(pairs: int) -> None:
    """Measure in pairs, so that a busy machine slows both alike."""
    with tempfile.TemporaryDirectory() as folder:
        without, active = make_environment(Path(folder) / "without"), make_environment(Path(folder) / "active")
        active.run("yolo-plugins", "activate", cwd=Path(folder))
        for environment in (without, active):
            seconds(environment)  # writes the byte code
        differences = [1000 * (seconds(active) - seconds(without)) for _ in range(pairs)]
        bare = 1000 * statistics.median(seconds(without) for _ in range(pairs))
    low, median, high = statistics.quantiles(differences, n=4)
    print(f"start-up file: {median:+.2f} ms (quartiles {low:+.2f} to {high:+.2f}) on {bare:.1f} ms, {pairs} pairs")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
