"""The `yolo-plugins` command as a user types it: output, errors, and the start-up file it writes and removes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Environment
from yolo_plugins import __version__
from yolo_plugins.cli.startup import FILES


def in_site_packages(environment: Environment) -> set[str]:
    return {path.name for path in environment.site_packages.iterdir()}


def test_activate_twice_and_deactivate_leave_what_was_there(environment: Environment, tmp_path: Path) -> None:
    before = in_site_packages(environment)
    first = environment.run("yolo-plugins", "activate", cwd=tmp_path).stdout
    assert f"activated in {environment.site_packages}" in first
    assert in_site_packages(environment) - before == set(FILES)
    assert "already active" in environment.run("yolo-plugins", "activate", cwd=tmp_path).stdout
    environment.run("yolo-plugins", "deactivate", cwd=tmp_path)
    assert in_site_packages(environment) - {"__pycache__"} == before
    assert not list(environment.site_packages.glob("__pycache__/yolo_plugins*"))
    assert "was not active" in environment.run("yolo-plugins", "deactivate", cwd=tmp_path).stdout


def test_the_patch_file_run_as_a_program_activates(environment: Environment, tmp_path: Path) -> None:
    import patch_ultralytics

    done = environment.run("python", patch_ultralytics.__file__, cwd=tmp_path)
    assert "activated in" in done.stdout


def test_status_tells_what_a_bug_report_needs(environment: Environment, tmp_path: Path) -> None:
    import ultralytics

    text = environment.run("yolo-plugins", "status", cwd=tmp_path).stdout
    for part in (
        __version__,
        ultralytics.__version__,
        "not active: run `yolo-plugins activate`",
        "GhostConv",
        str(environment.python),
    ):
        assert part in text
    environment.run("yolo-plugins", "activate", cwd=tmp_path)
    assert f"active in {environment.site_packages}" in environment.run("yolo-plugins", "status", cwd=tmp_path).stdout
    off = environment.run("yolo-plugins", "status", cwd=tmp_path, YOLO_PLUGINS="0").stdout
    assert "switched off here by YOLO_PLUGINS=0" in off
    (environment.site_packages / "yolo_plugins_startup.py").write_text("def start(): pass\n")
    assert "damaged" in environment.run("yolo-plugins", "status", cwd=tmp_path).stdout


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root and Windows write where others may not")
def test_a_closed_site_packages_is_said(environment: Environment, tmp_path: Path) -> None:
    environment.site_packages.chmod(0o555)
    done = environment.run("yolo-plugins", "activate", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "Permission denied" in done.stderr


def test_a_site_packages_that_cannot_be_written_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from yolo_plugins.cli import main

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    monkeypatch.setattr("os.replace", refuse)
    assert main(["activate"]) == 1
    error = capsys.readouterr().err
    assert f"cannot write into {tmp_path} (Permission denied); use a virtual environment, or" in error
    assert "`yolo-plugins activate --user`" in error
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
    done = environment.run(
        "yolo-plugins", "activate", cwd=tmp_path, PATH=f"{other}{os.pathsep}{environment.folder / 'bin'}"
    )
    assert f"the `yolo` on your PATH is {other / 'yolo'}, of another Python" in done.stdout


def test_python_starts_in_silence_when_the_package_has_gone_or_is_broken(
    environment: Environment, tmp_path: Path
) -> None:
    environment.run("yolo-plugins", "activate", cwd=tmp_path)
    for editable in environment.site_packages.glob("__editable__*"):
        editable.unlink()
    broken = environment.site_packages / "patch_ultralytics.py"
    for text in ("raise ImportError('gone')", "def broken(:", "install_hook = 3", ""):
        broken.write_text(text)
        done = environment.run("python", "-c", "pass", cwd=tmp_path)
        assert done.stdout + done.stderr == ""


def test_help_does_not_import_torch(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom yolo_plugins.cli import main\n"
        "for argv in (['--help'], ['list', '--help']):\n"
        "    try:\n        main(argv)\n    except SystemExit:\n        pass\n"
        "assert not {'torch', 'ultralytics', 'numpy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_list_shows_every_block_with_its_row_and_every_model() -> None:
    import yolo_plugins as yp
    from yolo_plugins import model_yamls
    from yolo_plugins.inspection.listing import blocks

    entries = {entry.name: entry for entry in blocks()}
    assert set(entries) == set(yp.BLOCKS)
    assert {"GhostConv", "LiteDetect", "GhostNetStage"} <= set(entries)
    assert entries["GhostConv"].row == "plugins.GhostConv, [c2, k=1, s=1, ratio=2, cheap_k=3, act='relu']"
    assert all(entry.summary for entry in entries.values())
    assert all(model_yamls.title(name) for name in model_yamls.names())


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["info", "nosuch.yaml"], "nosuch.yaml is neither a file nor a model YAML"),
        (["info", "yolov8n-gost.yaml"], "did you mean yolov8n-ghost.yaml"),
        (["info", "nosuch.pt"], "nosuch.pt does not exist"),
        (["info", "yolov8n-ghost.yaml", "--imgsz", "100"], "imgsz=100 must be a multiple of 32"),
    ],
)
def test_wrong_input_is_one_line(command: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    from yolo_plugins.cli import main

    assert main(command) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_info_shows_plug_in_rows_beside_stock_and_the_change(capsys: pytest.CaptureFixture[str]) -> None:
    from yolo_plugins.cli import main

    assert main(["info", "yolov8n-ghost.yaml"]) == 0
    out = capsys.readouterr().out
    assert "yolov8n-ghost.yaml beside yolov8n.yaml" in out
    assert "13 of 23 rows are plug-ins" in out
    assert "1,686,196" in out
    assert "3,157,200" in out


def test_a_folder_called_plugins_is_not_the_package(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", "import plugins"], cwd=root, capture_output=True, text=True)
    assert "its name is 'yolo_plugins': run `pip install -e .`" in done.stderr
