"""Runs the suite on one Python after another with the newest of everything, and with the oldest that is admitted.

Usage: python tests/python_matrix.py [PYTHON ...] [--oldest] [--environments FOLDER]

Each Python (a program, such as python3.12; by default those from 3.10 that are found) gets an environment of its own,
several gigabytes with torch, which is kept in FOLDER where one is given. With --oldest, every dependency in
pyproject.toml is installed at its lower bound, by default on the oldest Python alone: torch of then knows few newer
ones. The table in docs/versions.md keeps the lines of environments that are not run this time.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree

from yolo_plugins.files import write_text
from yolo_plugins.tables import markdown, part_of, with_part

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "versions.md"
SHOWN = ("torch", "ultralytics", "numpy", "opencv-python", "onnx", "pyyaml")
USUAL = [f"python3.{minor}" for minor in range(10, 15)]
HEADINGS = ["Python", "dependencies", "passed", "failed", "skipped", *SHOWN]
OF_THEN_TESTS = ("blocks", "composing", "network_training", "networks", "patch", "references", "resampling_references")
OF_THEN_TESTS += ("rows", "startup", "stock_models")
"""Subjects that the oldest release has; other tests are of YAMLs and commands that need newer ones."""
OF_THEN = ("torchvision==0.16.0", "numpy<2", "opencv-python==4.6.0.66")
"""What goes with the oldest torch and Ultralytics: they name no upper bounds themselves."""
TOOLS = ("pytest", "pytest-xdist", "onnx", "onnxslim", "onnxruntime", "timm", "pytorchcv", "lap", "cloudpickle")


def lower_bounds() -> list[str]:
    """The dependencies at their lower bounds."""
    required = [line for line in metadata.requires("yolo-plugins") or [] if "extra ==" not in line]
    return [line.replace(">=", "==") for line in required]


def number_of(python: str) -> str:
    """Major and minor version of a Python; empty where none of this name runs."""
    ask = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    with suppress(OSError):
        return subprocess.run(ask, capture_output=True, text=True).stdout.strip()
    return ""


def make(python: str, oldest: bool, folder: Path) -> Path:
    """The environment's own Python, after installing where it is not there yet."""
    own = folder / "bin" / "python"
    if not own.exists():
        subprocess.run([python, "-m", "venv", folder], check=True)
        install = [own, "-m", "pip", "install", "-q"]
        if oldest:
            subprocess.run([*install, *lower_bounds(), *OF_THEN, *TOOLS], check=True)
            subprocess.run([*install, "--no-deps", "-e", ROOT], check=True)
        else:
            subprocess.run([*install, "-e", f"{ROOT}[dev]"], check=True)
    return own


def suite(python: Path, oldest: bool, folder: Path) -> list[str]:
    """How many tests passed, failed and were skipped."""
    report = folder / "suite.xml"
    settings = {"OMP_NUM_THREADS": "1", "YOLO_CONFIG_DIR": str(folder), "CI": "1"}
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    files = [f"tests/test_{name}.py" for name in OF_THEN_TESTS] if oldest else []
    subprocess.run(
        [python, "-m", "pytest", *files, f"--junitxml={report}"], cwd=ROOT, env={**os.environ, **settings, "PATH": path}
    )
    counted = next(ElementTree.parse(report).getroot().iter("testsuite"))
    tests, skipped = int(counted.get("tests", 0)), int(counted.get("skipped", 0))
    failed = int(counted.get("failures", 0)) + int(counted.get("errors", 0))
    return [str(tests - failed - skipped), str(failed), str(skipped)]


def versions(python: Path) -> list[str]:
    code = (
        "import platform, sys; from yolo_plugins.installed import installed_version as v;"
        "print(platform.python_version(), *((v(name) or '-') for name in sys.argv[1:]))"
    )
    done = subprocess.run([python, "-c", code, *SHOWN], capture_output=True, text=True, check=True)
    return done.stdout.split()


def kept(text: str) -> dict[tuple[str, ...], list[str]]:
    """The lines between the marks, by Python and dependencies."""
    lines = part_of(text, "pythons").splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    return {(*minor(row[0]), row[1]): row for row in rows}


def minor(version: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\d+", version)[:2])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pythons", nargs="*", metavar="PYTHON")
    parser.add_argument("--oldest", action="store_true", help="every dependency at its lower bound")
    parser.add_argument("--environments", type=Path, metavar="FOLDER", help="where environments are kept")
    args = parser.parse_args()
    failed, ran = 0, []
    usual = [name for name in USUAL if number_of(name)]
    pythons = args.pythons or (usual[:1] if args.oldest else usual)
    if unknown := [name for name in pythons if not number_of(name)]:
        parser.error(f"{unknown[0]} is no Python that runs here")
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(max_workers=1) as ahead:

        def own_python(python: str) -> Path:
            name = f"{number_of(python)}-oldest" if args.oldest else number_of(python)
            return make(python, args.oldest, (args.environments or Path(temporary)) / name)

        for own in ahead.map(own_python, pythons):  # the next is installed while the suite runs in one
            counts = suite(own, args.oldest, Path(temporary))
            found, *packages = versions(own)
            row = [found, "oldest" if args.oldest else "newest", *counts, *packages]
            failed += int(counts[1])
            text = PAGE.read_text(encoding="utf-8")
            rows = {**kept(text), (*minor(found), row[1]): row}
            table = markdown([HEADINGS, *(rows[key] for key in sorted(rows, key=lambda key: (key[2], int(key[1]))))])
            write_text(PAGE, with_part(text, "pythons", table))
            print(" | ".join(row), flush=True)
            ran.append(found)
    print(f"{', '.join(ran)}: {failed} tests failed")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
