"""Everything that takes too long for the suite, in parts; each writes its result into the repository.

Usage: python tests/long_run.py [PART ...] [--go-on]

Parts that keep a single core busy run two at a time, then the others one by one. What was run, for how long, and how
it ended is kept in tests/benchmarks/results/long_run.md. Tests that failed are run once more, one at a time. With
--go-on, a run that was interrupted goes on with the parts that had not ended well, of tests with those that failed.
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
FAULTS = ["tests/test_faults.py"]
EXPORTS = [f"tests/test_{name}.py" for name in ("block_exports", "check", "compare", "export_in_8_bits", "lite_heads")]
PAGES = [f"tests/test_{name}.py" for name in ("notebook", "pages", "site")]
PARTS = {
    "versions": ["tests/version_matrix.py"],
    "clients": ["tests/clients.py", "-o", "docs/robustness.md"],
    "soak": ["tests/benchmarks/soak.py", "--minutes", "30", "-o", "tests/benchmarks/results/soak.md"],
    "recipes": ["tests/benchmarks/recipe_table.py", "-o", "docs/recipe-table.md"],
    "faults": [*SLOW, "-n", "0", *FAULTS],
    "pythons": ["tests/python_matrix.py"],
    "oldest": ["tests/python_matrix.py", "--oldest"],
    "exports": [*SLOW, "--dist", "worksteal", *EXPORTS],
    "pages": [*SLOW, "--dist", "worksteal", *PAGES],
    "tests": [*SLOW, "--dist", "worksteal", *(f"--ignore={file}" for file in [*FAULTS, *EXPORTS, *PAGES])],
}
"""By name, what Python is told; `tests` is all other slow tests."""
ONE_CORE = ("versions", "clients", "soak", "recipes", "faults")
PAGE = Lock()
NOT_RUN = "not run"
FAILED = "**failed**, exit code "
TESTS_FAILED = f"{FAILED}{int(pytest.ExitCode.TESTS_FAILED)}: "
HEADINGS = ["part", "command", "date", "minutes", "result"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; by default all")
    parser.add_argument("--go-on", action="store_true", help="leave out what has ended well since the run began")
    args = parser.parse_args()
    chosen = args.parts or list(PARTS)
    if unknown := [name for name in chosen if name not in PARTS]:
        parser.error(f"{unknown[0]} is not one of {', '.join(PARTS)}")
    rows = kept()
    if args.go_on:
        chosen = [name for name in chosen if name not in rows or name in failing(rows)]
    else:
        write_text(RESULT, page({name: row for name, row in rows.items() if name not in chosen}))
    begin = time.monotonic()
    beside = [name for name in chosen if name in ONE_CORE]
    with ThreadPoolExecutor(max_workers=2) as two:
        green = dict(zip(beside, two.map(finish, beside), strict=True))
    green |= {name: finish(name) for name in chosen if name not in ONE_CORE}
    ended = f"{(time.monotonic() - begin) / 60:.0f} minutes for {', '.join(chosen) or 'nothing'}"
    left = [name for name in PARTS if name not in kept()]
    failed = [name for name in chosen if not green[name]]
    print(f"{ended}; not run: {', '.join(left) or 'nothing'}; failed: {', '.join(failed) or 'nothing'}")
    return int(bool(failed))


def finish(name: str) -> bool:
    """Whether a part ended as it should, after writing its line into the page."""
    print(f"== {name}: {shown(name)}", flush=True)
    begin = time.monotonic()
    is_suite = "pytest" in PARTS[name]
    *_, spent, before = kept().get(name, ["0", ""])  # there is none but of a run that goes on
    first = before.partition(TESTS_FAILED)[2] if is_suite else ""
    if not first:
        spent = "0"
        status, last = run(PARTS[name])
        first = last if is_suite and status == pytest.ExitCode.TESTS_FAILED else ""
    if first:  # two at a time on a busy machine, some do
        status, last = run([*PARTS[name], "-n", "0", "--last-failed"])
        last = f"{first}; the failed ones again, one at a time: {last}"
    ended = f"{FAILED}{status}: {last}" if status else last
    minutes = f"{int(spent) + (time.monotonic() - begin) / 60:.0f}"
    row = [name, shown(name), f"{date.today()}", minutes, ended]
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
    """The page's lines of parts that were run, by part."""
    text = RESULT.read_text(encoding="utf-8") if RESULT.exists() else ""
    rows = [re.split(r" \| ", line.strip("| \n")) for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: row for row in rows if row[0] in PARTS and row[-1] != NOT_RUN}


def page(rows: dict[str, list[str]]) -> str:
    lines = [rows.get(name, [name, shown(name), "", "", NOT_RUN]) for name in PARTS]
    ended = f"{len(rows)} of {len(PARTS)} parts were run; failed: {', '.join(failing(rows)) or 'none'}."
    table = markdown([HEADINGS, *lines], [HEADINGS.index("minutes")])
    return (
        f"# The long run\n\nMade by `python tests/long_run.py`, on two cores: {', '.join(ONE_CORE)} two at a time, the "
        f"others one by one.\n{ended}\n\n{table}\n"
    )


def failing(rows: dict[str, list[str]]) -> list[str]:
    return [name for name, row in rows.items() if row[-1].startswith(FAILED)]


def shown(name: str) -> str:
    return f"`python {' '.join(PARTS[name])}`"


if __name__ == "__main__":
    sys.exit(main())
