"""The `yolo-plugins` command as a user types it: output, errors, and the start-up file it writes and removes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import ultralytics
import yolo_plugins as yp
from conftest import Environment
from yolo_plugins import __version__, model_yamls
from yolo_plugins.cli import main
from yolo_plugins.cli.commands import GROUPS
from yolo_plugins.cli.startup import FILES
from yolo_plugins.inspection.listing import blocks

import patch_ultralytics


def test_from_activation_to_deactivation_status_tells_what_a_bug_report_needs(
    environment: Environment, tmp_path: Path
) -> None:
    def run(*command: str, **variables: str) -> str:
        return environment.run(*command, cwd=tmp_path, **variables).stdout

    before, packages = set(environment.site_packages.iterdir()), environment.site_packages
    inactive = run("yolo-plugins", "status")
    for part in (__version__, ultralytics.__version__, "not active: run `yolo-plugins activate`", "GhostConv"):
        assert part in inactive
    assert str(environment.python) in inactive
    assert f"activated in {packages}" in run("python", patch_ultralytics.__file__), "as `activate` does"
    assert {path.name for path in set(packages.iterdir()) - before} == set(FILES)
    assert "already active" in run("yolo-plugins", "activate")
    assert f"active in {packages}" in run("yolo-plugins", "status")
    assert "switched off here by YOLO_PLUGINS=0" in run("yolo-plugins", "status", YOLO_PLUGINS="0")
    (packages / "yolo_plugins_startup.py").write_text("def start(): pass\n")
    assert "damaged" in run("yolo-plugins", "status")
    run("yolo-plugins", "deactivate")
    assert set(packages.iterdir()) - {packages / "__pycache__"} == before
    assert not list(packages.glob("__pycache__/yolo_plugins*"))
    assert "was not active" in run("yolo-plugins", "deactivate")


def test_a_site_packages_that_cannot_be_written_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    monkeypatch.setattr("os.replace", refuse)
    assert main(["activate"]) == 1
    error = capsys.readouterr().err
    remedy = "use a virtual environment, or `yolo-plugins activate --user`"
    assert f"cannot write into {tmp_path} (Permission denied); {remedy}" in error
    assert not list(tmp_path.iterdir())


def test_activating_for_the_user_in_a_virtual_environment_is_refused(environment: Environment, tmp_path: Path) -> None:
    done = environment.run("yolo-plugins", "activate", "--user", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "in a virtual environment, activate without --user" in done.stderr


def test_a_yolo_of_another_python_is_pointed_out(environment: Environment, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "yolo").write_text("#!/bin/sh\n")
    (other / "yolo").chmod(0o755)
    (environment.folder / "bin" / "yolo").unlink()
    path = f"{other}{os.pathsep}{environment.folder / 'bin'}"
    done = environment.run("yolo-plugins", "activate", cwd=tmp_path, PATH=path)
    assert f"the `yolo` on your PATH is {other / 'yolo'}, of another Python" in done.stdout


def test_list_shows_every_block_with_its_row_and_every_model() -> None:
    entries = {entry.name: entry for entry in blocks()}
    assert set(entries) == set(yp.BLOCKS)
    assert {"GhostConv", "LiteDetect", "GhostNetStage"} <= set(entries)
    assert entries["GhostConv"].row == "plugins.GhostConv, [c2, k=1, s=1, ratio=2, cheap_k=3, act='relu']"
    assert all(entry.summary for entry in entries.values())
    assert all(model_yamls.title(name) for name in model_yamls.names())


def test_info_shows_plug_in_rows_beside_stock_and_the_change(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "yolov8n-ghost.yaml"]) == 0
    out = capsys.readouterr().out
    for part in ("yolov8n-ghost.yaml beside yolov8n.yaml", "13 of 23 rows are plug-ins", "1,686,196", "3,157,200"):
        assert part in out


def test_a_folder_called_plugins_is_not_the_package(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", "import plugins"], cwd=root, capture_output=True, text=True)
    assert "its name is 'yolo_plugins': run `pip install -e .`" in done.stderr


def test_help_lists_every_command_once_under_what_people_want(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for group, commands in GROUPS.items():
        assert f"\n{group}:\n  {commands[0]} " in text
        assert all(text.count(f"\n  {command} ") == 1 for command in commands)


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_shell_completes_commands_and_their_options(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    words = ("transplant", "openvino", *(["--budget-ms"] if shell != "tcsh" else []))  # which has commands and choices
    assert all(word in script for word in words)
    if shell == "bash" and (bash := shutil.which("bash")):
        ask = f'{script}\nCOMP_WORDS=(yolo-plugins trans); COMP_CWORD=1; _shtab_yolo_plugins; echo "${{COMPREPLY[@]}}"'
        done = subprocess.run([bash, "-c", ask], capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["transplant"]


def test_a_reader_that_has_gone_is_no_error(environment: Environment, tmp_path: Path) -> None:
    command = f"set -o pipefail; {environment.python} {environment.folder / 'bin' / 'yolo-plugins'} list | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (141, "", "")
