"""The parts of a comparison around the measuring: what is refused, what is kept, and how worker processes end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from yolo_plugins.comparing import formats
from yolo_plugins.comparing.candidates import gather
from yolo_plugins.comparing.dataset import read, spread_out
from yolo_plugins.comparing.process import Worker, WorkerError
from yolo_plugins.comparing.progress import Board
from yolo_plugins.comparing.store import Store
from yolo_plugins.files import write, write_text


def test_a_bare_name_is_one_of_ours_or_of_ultralytics():
    ours, stock = gather(["yolov8n-ghost.yaml", "yolov8n.yaml"])
    assert (ours.name, ours.file.name, ours.trained) == ("yolov8n-ghost", "yolov8-ghost.yaml", False)
    assert (stock.name, stock.file.name) == ("yolov8n", "yolov8.yaml")


def test_weights_of_training_runs_are_named_after_their_runs(tmp_path):
    paths = [tmp_path / run / "weights" / "best.pt" for run in ("stock", "ghost")]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.touch()
    assert [candidate.name for candidate in gather(list(map(str, paths)))] == ["stock-best", "ghost-best"]


def test_a_model_can_be_given_a_name(tmp_path):
    (tmp_path / "a.pt").touch()
    (candidate,) = gather([f"mine={tmp_path / 'a.pt'}"])
    assert candidate.name == "mine"


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([], "no model to compare"),
        (["nowhere.pt"], "nowhere.pt does not exist; train it first"),
        (["yolov8n-gost.yaml"], "did you mean yolov8-ghost.yaml"),
        (["model.onnx"], "model.onnx is neither a model YAML nor a .pt file"),
        (["yolov8n.yaml", "yolov8n.yaml"], "two models are named yolov8n: yolov8n.yaml and yolov8n.yaml"),
        (["a=yolov8n.yaml", "a=yolov8s.yaml"], "two models are named a: yolov8n.yaml and yolov8s.yaml"),
    ],
    ids=["none", "no weights", "misspelt", "exported", "twice", "one name"],
)
def test_models_that_cannot_be_told_are_refused(models, message):
    with pytest.raises((ValueError, OSError), match=message):
        gather(models)


def test_the_formats_are_those_that_ultralytics_exports():
    from ultralytics.engine.exporter import export_formats

    assert list(formats.table()) == ["torch", *export_formats()["Argument"][1:], "dnn"]


@pytest.mark.parametrize(("name", "near"), [("onxx", "onnx"), ("NCNN", "ncnn"), ("openvin", "openvino")])
def test_an_unknown_format_is_refused_with_the_nearest(name, near):
    with pytest.raises(ValueError, match=f"unknown format '{name}'; did you mean {near}?"):
        formats.choose([name])


def test_a_missing_runtime_is_told_with_its_command(monkeypatch):
    monkeypatch.setitem(formats.NEEDS, "ncnn", ("ncnn_that_is_not_there", "yaml"))
    assert formats.missing("ncnn") == ("ncnn_that_is_not_there not installed: pip install ncnn_that_is_not_there")


def dataset(folder: Path, labels: bool = True) -> Path:
    """Three empty validation images in YOLO's layout."""
    for part in ("images", "labels"):
        (folder / part / "val").mkdir(parents=True)
    for i in range(3):
        (folder / "images" / "val" / f"{i}.jpg").touch()
        if labels:
            (folder / "labels" / "val" / f"{i}.txt").touch()
    path = folder / "data.yaml"
    path.write_text("train: images/val\nval: images/val\nnames: [a, b]\n")
    return path


def test_validation_images_are_found_beside_the_yaml(tmp_path):
    found = read(str(dataset(tmp_path)), "detect")
    assert [image.name for image in found.images] == ["0.jpg", "1.jpg", "2.jpg"]
    assert found.classes == 2


def test_a_label_that_was_written_again_is_noticed(tmp_path):
    path = str(dataset(tmp_path))
    before = read(path, "detect").state
    assert read(path, "detect").state == before
    os.utime(tmp_path / "labels" / "val" / "1.txt", (2**32, 2**32))
    assert read(path, "detect").state != before


def test_a_list_of_images_is_read_as_ultralytics_reads_it(tmp_path):
    path = dataset(tmp_path)
    (tmp_path / "val.txt").write_text("./images/val/1.jpg\n")
    path.write_text("val: val.txt\ntrain: val.txt\nnames: [a]\n")
    assert read(str(path), "detect").images == [tmp_path / "images" / "val" / "1.jpg"]


def test_data_without_labels_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"none of its 3 validation images has a label file, such as .*0\.txt"):
        read(str(dataset(tmp_path, labels=False)), "detect")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("val: [", "is not YAML"),
        ("train: x", "must name its validation images"),
        ("val: gone\nnames: [a]", "gone do not exist"),
    ],
    ids=["no YAML", "no val", "no images"],
)
def test_a_data_yaml_that_cannot_be_used_is_refused(tmp_path, text, message):
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises((ValueError, OSError), match=message):
        read(str(tmp_path / "data.yaml"), "detect")


def test_a_folder_of_classes_is_data_for_classification(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "val" / name).mkdir(parents=True)
        (tmp_path / "val" / name / "1.png").touch()
    found = read(str(tmp_path), "classify")
    assert (found.classes, len(found.images)) == (2, 2)


def test_images_are_spread_over_the_whole_set():
    assert spread_out([Path(str(i)) for i in range(8)], 4) == [Path("0"), Path("2"), Path("4"), Path("6")]


def test_what_was_stored_is_there_after_a_restart(tmp_path):
    Store(tmp_path / "s").put("a", {"x": 1})
    Store(tmp_path / "s").put("b", {"x": 2})
    assert [Store(tmp_path / "s").get(key) for key in "abc"] == [{"x": 1}, {"x": 2}, None]


@pytest.mark.parametrize("lost", range(1, 26, 5))
def test_a_line_cut_off_while_written_loses_only_itself(tmp_path, lost):
    store = Store(tmp_path / "s")
    store.put("a", {"x": 1})
    store.put("b", {"x": 2})
    data = (tmp_path / "s").read_bytes()
    (tmp_path / "s").write_bytes(data[:-lost])
    again = Store(tmp_path / "s")
    assert (again.get("a"), again.get("b")) == ({"x": 1}, None)
    again.put("b", {"x": 3})
    assert Store(tmp_path / "s").get("b") == {"x": 3}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device that is always full")
def test_a_full_disk_is_told_and_keeps_what_was_there(tmp_path):
    store = Store(tmp_path / "s")
    store.put("a", {"x": 1})
    store.path = Path("/dev/full")
    with pytest.raises(OSError, match="what was measured before is kept: make room and run the same command again"):
        store.put("b", {"x": 2})
    assert Store(tmp_path / "s").get("a") == {"x": 1}


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "report.md"
    write_text(path, "old")

    def half(file):
        file.write_text("ne")
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        write(path, half)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


class Script(Worker):
    """A worker whose process runs a script instead."""

    def __init__(self, log: Path, code: str) -> None:
        super().__init__(log, {"PYTHONPATH": str(log.parent)})
        package = log.parent / "yolo_plugins" / "comparing"
        package.mkdir(parents=True)
        for folder in (package, package.parent):
            (folder / "__init__.py").touch()
        (package / "worker.py").write_text(code)


ECHO = "import sys, json\nfor line in sys.stdin: print(json.dumps({'result': json.loads(line)}), flush=True)\n"


def test_a_worker_answers_again_and_again(tmp_path):
    with Script(tmp_path / "log", ECHO) as worker:
        assert [worker.ask("say", 20, n=n)["n"] for n in range(3)] == [0, 1, 2]


def test_a_worker_that_crashes_is_told_by_its_signal(tmp_path):
    code = f"import os, sys\nsys.stdin.readline()\nos.kill(os.getpid(), {int(signal.SIGSEGV)})\n"
    with Script(tmp_path / "log", code) as worker, pytest.raises(WorkerError, match=r"crashed with SIGSEGV.*export"):
        worker.ask("export", 20)


def test_a_worker_that_hangs_is_stopped_with_all_it_started(tmp_path):
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    with Script(tmp_path / "log", code) as worker, pytest.raises(WorkerError, match="stopped after 3 s"):
        worker.ask("load", 3)
    child = int((tmp_path / "child").read_text())
    for _ in range(50):
        if not _runs(child):
            return
        time.sleep(0.1)
    pytest.fail("the worker's child is still running")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_after_a_crash_the_next_request_starts_anew(tmp_path):
    code = (
        "import os, sys, json\n"
        f"first = not os.path.exists({str(tmp_path / 'ran')!r})\n"
        f"open({str(tmp_path / 'ran')!r}, 'w').close()\n"
        "if first: os._exit(3)\n" + ECHO
    )
    with Script(tmp_path / "log", code) as worker:
        with pytest.raises(WorkerError, match=r"ended with code 3|BrokenPipe"):
            worker.ask("say", 20)
        assert worker.ask("say", 20, n=1)["n"] == 1


def test_what_ultralytics_lacks_becomes_a_command(tmp_path):
    code = (
        "import sys, json\n"
        "print(\"requirement ['paddlepaddle>=3.0.0', 'x2paddle'] not found, AutoUpdate disabled\", file=sys.stderr)\n"
        "sys.stdin.readline()\n"
        "print(json.dumps({'error': \"ModuleNotFoundError: No module named 'paddle'\"}), flush=True)\n"
    )
    message = "pip install 'paddlepaddle>=3.0.0' 'x2paddle'"
    with Script(tmp_path / "log", code) as worker, pytest.raises(WorkerError, match=message):
        worker.ask("export", 20)


def test_progress_prints_lines_where_there_is_no_terminal(tmp_path):
    with open(tmp_path / "out", "w", encoding="utf-8") as stream:
        board = Board(["a"], ["onnx"], stream)
        board.set("a", "onnx", "exporting")
        board.set("a", "onnx", "timing 7/50", quiet=True)
    assert (tmp_path / "out").read_text() == "0:00 a onnx: exporting\n"


def test_progress_redraws_one_table_on_a_terminal():
    class Terminal(list):
        write = list.append

        def isatty(self):
            return True

        def flush(self):
            pass

    stream = Terminal()
    board = Board(["a", "b"], ["onnx", "ncnn"], stream)
    board.set("a", "onnx", "ok, 3.1 ms", done=True)
    board.set("b", "ncnn", "exporting")
    assert "\x1b[4A" in stream[1]  # a heading, two models and the line below them are drawn over
    last = stream[-1]
    assert "ok, 3.1 ms" in last
    assert "exporting" in last
    assert "1 of 4 done" in last


def test_the_settings_of_workers_hold_a_font_and_switch_services_off(tmp_path):
    from yolo_plugins.comparing.process import environment

    found = environment(2, tmp_path)
    assert (found["OMP_NUM_THREADS"], found["YOLO_AUTOINSTALL"], found["YOLO_OFFLINE"]) == ("2", "false", "true")
    assert (tmp_path / "Ultralytics" / "Arial.ttf").stat().st_size > 10_000
    settings = json.loads((tmp_path / "Ultralytics" / "settings.json").read_text())
    assert not any(value is True for value in settings.values())
    assert "datasets_dir" in settings


def test_mnns_converter_installs_nothing_and_reports_nothing(tmp_path):
    pytest.importorskip("ultralytics")
    if find_spec("MNN") is None:
        pytest.skip("MNN is not installed")
    pip = tmp_path / "pip"
    pip.write_text(f"#!/bin/sh\ntouch {tmp_path / 'installed'}\n")
    pip.chmod(0o755)
    program = (
        "from yolo_plugins.comparing.runtimes import import_mnn; import_mnn()\n"
        "from MNN.tools import mnnconvert; print(mnnconvert.mnn_logger)"
    )
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines()[-1] == "None"
    assert not (tmp_path / "installed").exists()
