"""Everything that takes too long for the suite, in parts; each writes its result into the repository.

Usage: python tests/long_run.py [PART ...]

Parts that keep a single core busy run two at a time, then the others one by one. What was run, for how long, and how
it ended is kept in tests/benchmarks/results/long_run.md, where parts that were not run this time keep their last lines.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from threading import Lock

import pytest
from yolo_plugins.files import write_text
from yolo_plugins.tables import markdown

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "tests" / "benchmarks" / "results" / "long_run.md"
SLOW = ["-m", "pytest", "-m", "slow", "-vv"]
FAULTS = "tests/test_faults.py"
PARTS = {
    "versions": ["tests/version_matrix.py"],
    "pythons": ["tests/python_matrix.py"],
    "oldest": ["tests/python_matrix.py", "--oldest"],
    "clients": ["tests/clients.py", "-o", "docs/robustness.md"],
    "soak": ["tests/benchmarks/soak.py", "--minutes", "30", "-o", "tests/benchmarks/results/soak.md"],
    "recipes": ["tests/benchmarks/recipe_table.py", "-o", "docs/recipe-table.md"],
    "faults": [*SLOW, "-n", "0", FAULTS],
    "tests": [*SLOW, "--dist", "worksteal", "--ignore", FAULTS],
    "again": [*SLOW, "-n", "0", "--last-failed", "--last-failed-no-failures", "none"],
}
"""By name, what Python is told; `tests` is all other slow tests, `again` those of them that failed, one at a time."""
ONE_CORE = ("versions", "soak", "clients", "recipes", "faults")
PAGE = Lock()
HEADINGS = ["part", "command", "date", "minutes", "result"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; by default all")
    chosen = parser.parse_args().parts or list(PARTS)
    if unknown := [name for name in chosen if name not in PARTS]:
        parser.error(f"{unknown[0]} is not one of {', '.join(PARTS)}")
    begin = time.monotonic()
    beside = [name for name in chosen if name in ONE_CORE]
    with ThreadPoolExecutor(max_workers=2) as two:
        green = dict(zip(beside, two.map(finish, beside), strict=True))
    green |= {name: finish(name) for name in chosen if name not in ONE_CORE}
    failed = [name for name in chosen if not green[name]]
    left = [name for name in PARTS if name not in chosen]
    ended = (
        f"{(time.monotonic() - begin) / 60:.0f} minutes for {', '.join(chosen)}; "
        f"not run: {', '.join(left) or 'nothing'}; failed: {', '.join(failed) or 'nothing'}"
    )
    write_text(RESULT, page(kept(), f"The last run ended on {date.today()}: {ended}."))
    print(ended)
    return int(bool(failed))


def finish(name: str) -> bool:
    """Whether a part ended as it should, after writing its line into the page."""
    print(f"== {name}: python {' '.join(PARTS[name])}", flush=True)
    begin = time.monotonic()
    status, last = run(PARTS[name])
    if name == "again" and status == pytest.ExitCode.NO_TESTS_COLLECTED:
        status, last = 0, "nothing had failed"
    ended = last if not status else f"**failed**, exit code {status}: {last}"
    minutes = f"{(time.monotonic() - begin) / 60:.0f}"
    row = [name, f"`python {' '.join(PARTS[name])}`", f"{date.today()}", minutes, ended]
    with PAGE:
        write_text(RESULT, page({**kept(), name: row}))
    return not status


def run(command: list[str]) -> tuple[int, str]:
    """Exit code and last line of a part, whose output is shown as it comes."""
    environment = {**os.environ, "KILLS": os.environ.get("KILLS", "10")}
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    return process.returncode, re.sub(r"^=+ | =+$", "", last).replace("|", "/")


def kept() -> dict[str, list[str]]:
    """The lines that the page has, by part."""
    text = RESULT.read_text(encoding="utf-8") if RESULT.exists() else ""
    rows = (re.split(r" \| ", line.strip("| \n")) for line in text.splitlines() if line.startswith("| "))
    return {row[0]: row for row in rows if row[0] in PARTS}


def page(rows: dict[str, list[str]], ended: str = "A run is under way.") -> str:
    lines = [rows.get(name, [name, f"`python {' '.join(PARTS[name])}`", "", "", "not run"]) for name in PARTS]
    return f"# The long run\n\nMade by `python tests/long_run.py`. {ended}\n\n{markdown([HEADINGS, *lines], [3])}\n"


if __name__ == "__main__":
    sys.exit(main())
