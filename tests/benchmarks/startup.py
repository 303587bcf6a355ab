"""What the start-up file costs a bare `python -c pass`: medians of paired runs, one beside the other.

Usage: python tests/benchmarks/startup.py [pairs]
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from conftest import Environment, make_environment


def milliseconds(environment: Environment) -> tuple[float, float]:
    """Wall and processor time of one bare start."""
    wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([environment.python, "-c", "pass"], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return 1000 * (time.perf_counter() - wall), 1000 * busy


def main(pairs: int) -> None:
    """Measure in pairs, so that a busy machine slows both alike."""
    with tempfile.TemporaryDirectory() as folder:
        without, active = make_environment(Path(folder) / "without"), make_environment(Path(folder) / "active")
        active.run("yolo-plugins", "activate", cwd=Path(folder))
        for environment in (without, active):
            milliseconds(environment)  # writes the byte code
        runs = [(milliseconds(without), milliseconds(active)) for _ in range(pairs)]
    for i, name in enumerate(("wall", "processor")):
        low, median, high = statistics.quantiles((active[i] - bare[i] for bare, active in runs), n=4)
        on = statistics.median(bare[i] for bare, _ in runs)
        print(f"{name}: {median:+.2f} ms (quartiles {low:+.2f} to {high:+.2f}) on {on:.1f} ms, {pairs} pairs")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
