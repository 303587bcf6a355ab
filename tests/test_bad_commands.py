"""Every command, misspelt and misused: one sentence and exit code 1 or 2, no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from yolo_plugins.cli import main
from yolo_plugins.cli.commands import COMMANDS

WITHOUT_TORCH = [
    [],
    ["chekc"],
    ["--hepl"],
    *([command, "--no-such-option"] for command in COMMANDS),
    *([command, "--help"] for command in COMMANDS),
    *([command, "surplus"] for command in ("activate", "deactivate", "status", "list", "networks", "demo")),
    *([command] for command in ("info", "check", "init", "transplant", "compare")),
    ["info", "yolov8n.yaml", "--nc", "many"],
    ["info", "yolov8n.yaml", "--imgsz"],
    ["cost", "GhostConv", "wide"],
    ["cost", "GhostConv", "64", "--format", "pdf"],
    ["draw", "GhostConv", "64", "64", "64"],
    ["networks", "--format", "pdf"],
    ["init", "yolov8n-ghostnet.yaml"],
    ["transplant", "best.pt", "--images", "here"],
    ["transplant", "best.pt", "--swap", "ghost", "--model", "light.yaml", "--images", "here", "-o", "new.pt"],
    ["compare", "a.yaml", "--threads", "two"],
    ["demo", "--epochs", "few"],
    ["demo", "--task", "sleep"],
    ["check", "yolov8n-gost.yaml"],
    ["check", "no-such-folder/model.yaml"],
    ["check", "."],
    ["check", "yolov8n.yaml", "--base", "yolov9n-gost.yaml"],
]
SENTENCES = [
    ["info", "no-such.yaml"],
    ["info", "no-such.pt"],
    ["info", "."],
    ["info", "text.txt"],
    ["info", "binary.pt"],
    ["info", "empty.yaml"],
    ["info", "binary.yaml"],
    ["info", "no-rows.yaml"],
    ["info", "yolov8n.yaml", "--nc", "-1"],
    ["info", "yolov8n.yaml", "--nc", "0"],
    ["info", "yolov8n.yaml", "--imgsz", "0"],
    ["info", "yolov8n.yaml", "--imgsz", "-32"],
    ["info", "yolov8n.yaml", "--imgsz", "3200000"],
    ["info", "yolov8n.yaml", "--base", "no-such.yaml"],
    ["cost"],
    ["cost", "GostConv", "64"],
    ["cost", "GhostConv"],
    ["cost", "GhostConv", "0"],
    ["cost", "GhostConv", "64", "-1"],
    ["cost", "GhostConv", "1000000000"],
    ["cost", "GhostConv", "64", "--k", "4"],
    ["cost", "GhostConv", "64", "--k", "three"],
    ["cost", "GhostConv", "64", "--r", "3"],
    ["cost", "GhostConv", "64", "--size", "0"],
    ["cost", "GhostConv", "64", "--size", "1000000"],
    ["cost", "GhostConv", "64", "--runs", "-1"],
    ["cost", "GhostConv", "64", "--act", "no-such"],
    ["draw"],
    ["draw", "GostConv", "64"],
    ["draw", "GhostConv", "64", "--d", "2"],
    ["draw", "GhostConv", "64", "--size", "1000000"],
    ["yaml"],
    ["yaml", "yolov8.yaml"],
    ["yaml", "no-such.yaml", "--swap", "ghost"],
    ["yaml", "yolov8.yaml", "--swap", "gost"],
    ["yaml", "yolov8.yaml", "--swap", "no-such.yaml"],
    ["yaml", "yolov8.yaml", "--swap", "no-rows.yaml"],
    ["yaml", "yolov8.yaml", "--swap", "binary.yaml"],
    ["yaml", "no-rows.yaml", "--swap", "ghost"],
    ["yaml", "binary.yaml", "--swap", "ghost"],
    ["yaml", "empty.yaml", "--swap", "ghost"],
    ["init", "no-such.yaml", "--imagenet"],
    ["init", "text.txt", "--imagenet"],
    ["init", "binary.yaml", "--imagenet"],
    ["init", "yolov8n-ghostnet.yaml", "--imagenet", "-o", "new.txt"],
    ["init", "yolov8n-ghostnet.yaml", "--imagenet", "-o", "no-such-folder/new.pt"],
    ["transplant", "no-such.pt", "--swap", "ghost", "--images", ".", "-o", "new.pt"],
    ["transplant", "binary.pt", "--swap", "ghost", "--images", ".", "-o", "new.pt"],
    ["transplant", "binary.pt", "--swap", "ghost", "--images", ".", "-o", "binary.pt"],
    ["transplant", "binary.pt", "--swap", "ghost", "--images", ".", "-o", "new.pt", "--batch", "0"],
    ["compare", "no-such.yaml"],
    ["compare", "text.txt"],
    ["compare", "binary.pt", "--data", "no-such.yaml"],
    ["compare", "yolov8n.yaml", "--formats", "onix"],
    ["compare", "yolov8n.yaml", "--imgsz", "33"],
    ["compare", "yolov8n.yaml", "--rounds", "0"],
    ["compare", "yolov8n.yaml", "--train", "epochs"],
    ["demo", "--epochs", "0"],
    ["demo", "--images", "-1"],
    ["demo", "--imgsz", "33"],
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with files that are not what their names say."""
    (tmp_path / "text.txt").write_text("words\n")
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "no-rows.yaml").write_text("nc: 3\n")
    for name in ("binary.pt", "binary.yaml"):
        (tmp_path / name).write_bytes(bytes(range(256)) * 20)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", SENTENCES, ids=" ".join)
def test_misuse_is_one_sentence_and_exit_code_1(
    command: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(folder.iterdir())
    assert main(command) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"yolo-plugins {command[0]}: ")
    assert len(error.splitlines()) == 1
    assert len(error) < 700
    assert set(folder.iterdir()) == before, "something was left behind"


def test_misspelling_and_help_are_answered_without_torch(tmp_path: Path) -> None:
    code = (
        "import contextlib, io, sys\nfrom yolo_plugins.cli import main\n"
        f"for argv in {WITHOUT_TORCH!r}:\n"
        "    said = io.StringIO()\n"
        "    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):\n"
        "        try:\n            code = main(argv)\n"
        "        except SystemExit as end:\n            code = end.code\n"
        "    assert code == (0 if '--help' in argv else 2 if 'usage:' in said.getvalue() else 1), (argv, code)\n"
        "    assert 'Traceback' not in said.getvalue()\n"
        "    assert '--help' in argv or len(said.getvalue().strip().splitlines()[-1]) < 700, argv\n"
        "    assert not {'torch', 'ultralytics'} & set(sys.modules), argv\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
