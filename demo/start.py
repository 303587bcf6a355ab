"""The demo on a fresh machine, from a clone: python demo/start.py

Makes a virtual environment `.venv` beside this folder if there is none, installs the pack into it, and runs
`yolo-plugins demo` with the options given here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def environment(extra: str, command: str) -> Path:
    """The folder of the environment's commands, after installing the pack with an extra where a command is missing.

    Raises:
        subprocess.CalledProcessError: installing failed.
    """
    folder = ROOT / ".venv"
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    suffix = ".exe" if os.name == "nt" else ""
    if not (scripts / f"{command}{suffix}").exists():
        print(f"installing into {folder}; torch and Ultralytics are a large download", flush=True)
        if not (scripts / f"python{suffix}").exists():
            venv.create(folder, with_pip=True)
        subprocess.run([scripts / "python", "-m", "pip", "install", "-q", "-e", f"{ROOT}[{extra}]"], check=True)
    return scripts


def main() -> int:
    """Install where needed, then hand over."""
    return subprocess.run([environment("onnx", "yolo-plugins") / "yolo-plugins", "demo", *sys.argv[1:]]).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"installing failed with exit code {error.returncode}; the messages above say why")
