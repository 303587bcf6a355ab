"""The tests on a fresh machine, from a clone: python tests/start.py

Makes a virtual environment `.venv` at the root of the clone if there is none, installs the pack into it for
development, and runs the test command, with further options of pytest given here.
"""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["lint-imports"], ["mypy"], ["pytest"])


def main() -> int:
    """Install where needed, then run one command after the other; the exit code of the first that fails."""
    demo = runpy.run_path(str(ROOT / "demo" / "start.py"))
    scripts: Path = demo["environment"]("dev", "pytest")
    for command, *options in COMMANDS:
        more = sys.argv[1:] if command == "pytest" else []
        if code := subprocess.run([scripts / command, *options, *more], cwd=ROOT).returncode:
            return code
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"installing failed with exit code {error.returncode}; the messages above say why")
