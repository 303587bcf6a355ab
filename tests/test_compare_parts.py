"""The parts of a comparison around the measuring: what is refused, what is kept, and how worker processes end."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from yolo_plugins.cli import main
from yolo_plugins.comparing import Settings, compare, formats
from yolo_plugins.comparing.candidates import gather
from yolo_plugins.comparing.dataset import read, spread_out
from yolo_plugins.comparing.process import NotInstalledError, Worker, WorkerError
from yolo_plugins.comparing.progress import Board
from yolo_plugins.comparing.store import Store
from yolo_plugins.comparing.variants import Variant, variants
from yolo_plugins.files import write, write_text
from yolo_plugins.training.environment import environment


def test_models_are_found_by_bare_name_path_or_scale_and_named_after_what_they_are(tmp_path):
    """A bare name is one of ours or of Ultralytics; weights of training runs are named after their runs."""
    best = tmp_path / "run" / "weights" / "best.pt"
    best.parent.mkdir(parents=True)
    best.touch()
    (tmp_path / "yolov8-mine.yaml").touch()
    mine = tmp_path / "yolov8s-mine.yaml"
    found = gather(["yolov8n-ghost.yaml", "yolov8n.yaml", str(best), f"named={best}", str(mine)])
    assert [(candidate.name, candidate.file.name, candidate.trained) for candidate in found] == [
        ("yolov8n-ghost", "yolov8-ghost.yaml", False),
        ("yolov8n", "yolov8.yaml", False),
        ("run-best", "best.pt", True),
        ("named", "best.pt", True),
        ("yolov8s-mine", "yolov8-mine.yaml", False),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("nowhere.pt", "nowhere.pt does not exist; train it first"),
        ("yolov8n-gost.yaml", "did you mean yolov8n-ghost.yaml"),
        ("model.onnx", "model.onnx is neither a model YAML nor a .pt file"),
        ("yolov8n.yaml yolov8n.yaml", "two models are named yolov8n: yolov8n.yaml and yolov8n.yaml"),
        ("a=yolov8n.yaml a=yolov8s.yaml", "two models are named a: yolov8n.yaml and yolov8s.yaml"),
        ("yolov8n.yaml --formats NCNN", "unknown format 'NCNN'; did you mean ncnn?"),
        ("yolov8n.yaml --threads 0", "threads=0 must be at least 1"),
        ("yolov8n.yaml --timeout 0", "timeout=0.0 must be above 0 seconds"),
        ("yolov8n.yaml --conf 1", "conf=1.0 must be between 0 and 1"),
        ("yolov8n.yaml -o file/report", "cannot write into file/report"),
        ("yolov8n.yaml --quantize 8", "8 bits are calibrated on images; give a data YAML with --data"),
        ("yolov8n.yaml --quantize 4", "quantize=4: there are 8 and 16 bits, beside 32"),
        ("yolov8n.yaml --quantize 16 16", "quantize 16 16: one is given twice"),
        ("yolov8n.yaml --train", "training needs --data"),
        ("yolov8n.yaml --train --data x.yaml --seeds 1 1", "seeds 1, 1: one is given twice"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence_at_once(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    start = time.monotonic()
    assert main(["compare", *arguments.split()]) == 1
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
    assert time.monotonic() - start < 20
    assert not list(tmp_path.rglob("*.html"))


@pytest.mark.parametrize(
    ("models", "settings", "error", "message"),
    [
        ([], {}, ValueError, "no model to compare"),
        (["yolov8n.yaml"], {"formats": []}, ValueError, "no format to compare"),
        (["yolov8n.yaml"], {"image_size": 640}, TypeError, "image_size"),
        (["yolov8n.yaml"], {"settings": Settings(imgsz=320), "rounds": 0}, ValueError, "rounds=0 must be at least 1"),
    ],
    ids=["no model", "no format", "no such setting", "settings with a change"],
)
def test_what_only_python_can_ask_for_is_refused_too(models, settings, error, message):
    with pytest.raises(error, match=message):
        compare(models, **settings)


def test_the_formats_are_those_that_ultralytics_exports():
    from ultralytics.engine.exporter import export_formats

    assert formats.known() == ["torch", *export_formats()["Argument"][1:], "dnn"]


@pytest.mark.parametrize(
    ("form", "bits", "default", "keys"),
    [
        ("onnx", [], 32, ["onnx"]),
        ("torch", [8, 16], 32, ["torch"]),
        ("onnx", [8, 16], 32, ["onnx", "onnx-16-ultralytics", "onnx-8-ultralytics", "onnx-8-yolo-plugins"]),
        ("openvino", [8], 16, ["openvino", "openvino-16-default", "openvino-8-ultralytics", "openvino-8-yolo-plugins"]),
        ("mnn", [8], 32, ["mnn", "mnn-8-ultralytics"]),
    ],
    ids=["32 bits alone", "torch", "both recipes", "a runtime whose default is 16", "Ultralytics' alone"],
)
def test_a_format_is_compared_in_the_precisions_that_it_has(form, bits, default, keys):
    assert [variant.key for variant in variants(form, bits, default)] == keys


@pytest.mark.parametrize(
    ("variant", "lacking"),
    [
        (Variant("ncnn", 8, "ultralytics"), "NCNN has no 8 bits in Ultralytics' export"),
        (Variant("torchscript", 16, "ultralytics"), "TorchScript has 16 bits on a GPU only"),
        (Variant("onnx", 8, "ultralytics"), ""),
        (Variant("ncnn", 16, "ultralytics"), ""),
        (Variant("ncnn"), ""),
    ],
    ids=lambda value: getattr(value, "key", ""),
)
def test_a_precision_that_a_format_lacks_is_known_before_any_work(variant, lacking):
    assert variant.lacking == lacking


IMAGES = ["images/val/0.jpg", "images/val/1.jpg", "images/val/2.jpg"]


def dataset(folder: Path, text: str = "val: images/val\nnames: [a, b]", labels: bool = True) -> str:
    """A data YAML with three empty validation images in YOLO's layout, and a list of one."""
    files = [*IMAGES, *(["labels/val/1.txt"] if labels else [])]
    for file in (folder / name for name in files):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (folder / "val.txt").write_text("./images/val/1.jpg\n")
    (folder / "data.yaml").write_text(text)
    return str(folder / "data.yaml")


@pytest.mark.parametrize(
    ("val", "names", "images", "classes"),
    [
        ("images/val", "names: [a, b]", IMAGES, 2),
        ("val.txt", "names: [a]", IMAGES[1:2], 1),
        ("[val.txt, images/val]", "nc: 3", [IMAGES[1], *IMAGES], 3),
    ],
    ids=["folder", "list", "both"],
)
def test_validation_images_are_found_as_ultralytics_finds_them(tmp_path, val, names, images, classes):
    found = read(dataset(tmp_path, f"val: {val}\n{names}"))
    assert [str(image.relative_to(tmp_path)) for image in found.images] == images
    assert found.classes == classes


def test_a_folder_of_classes_is_data_for_classification(tmp_path):
    dataset(tmp_path / "val")  # folders called images and labels
    found = read(str(tmp_path))
    assert (found.classes, len(found.images)) == (2, 3)


def test_a_label_that_was_written_again_is_noticed(tmp_path):
    data = dataset(tmp_path)
    before = read(data).state
    assert read(data).state == before
    os.utime(tmp_path / "labels" / "val" / "1.txt", (2**32, 2**32))
    assert read(data).state != before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("val: images/val\nnames: [a]", r"none of its 3 validation images has a label file, such as .*0\.txt"),
        ("val: [", "is not YAML"),
        ("train: x", "must name its validation images"),
        ("val: gone\nnames: [a]", "gone do not exist"),
    ],
    ids=["no labels", "no YAML", "no val", "no images"],
)
def test_a_data_yaml_that_cannot_be_used_is_refused(tmp_path, text, message):
    with pytest.raises((ValueError, OSError), match=message):
        read(dataset(tmp_path, text, labels=False))


def test_images_are_spread_over_the_whole_set():
    assert spread_out([Path(str(i)) for i in range(8)], 4) == [Path("0"), Path("2"), Path("4"), Path("6")]


@pytest.mark.parametrize("lost", [0, *range(1, 26, 5)])
def test_what_was_stored_is_there_after_a_restart_and_a_line_cut_off_loses_only_itself(tmp_path, lost):
    store = Store(tmp_path / "s")
    store.put("a", {"x": 1})
    store.put("b", {"x": 2})
    data = (tmp_path / "s").read_bytes()
    (tmp_path / "s").write_bytes(data[: len(data) - lost])
    again = Store(tmp_path / "s")
    assert [again.get(key) for key in "abc"] == [{"x": 1}, None if lost else {"x": 2}, None]
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


def test_what_a_killed_process_left_of_a_file_is_cleared_away_and_what_another_is_writing_is_not(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, busy = (tmp_path / f".report-{pid}-abc.md" for pid in (ended.pid, os.getpid()))
    left.touch()
    busy.touch()
    write_text(tmp_path / "report.md", "new")
    assert {path.name for path in tmp_path.iterdir()} == {"report.md", busy.name}


def script(folder: Path, code: str) -> Worker:
    """A worker whose process runs a script instead, with `parent` at the other end of the pipe."""
    package = folder / "yolo_plugins" / "comparing"
    package.mkdir(parents=True)
    for place in (package, package.parent):
        (place / "__init__.py").touch()
    start = "import os, subprocess, sys, time\nfrom multiprocessing.connection import Connection\n"
    (package / "worker.py").write_text(f"{start}parent = Connection(int(sys.argv[1]))\n{code}")
    return Worker(folder / "log", {"PYTHONPATH": str(folder)})


CRASH = f"parent.recv(); os.kill(os.getpid(), {int(signal.SIGSEGV)})"
LACKING = (
    "print(\"requirement ['paddlepaddle>=3.0.0', 'x2paddle'] not found, AutoUpdate disabled\")\n"
    "parent.recv(); parent.send({'error': \"No module named 'paddle'\", 'import': %s}); time.sleep(600)\n"
)


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (CRASH, WorkerError, "crashed with SIGSEGV .* export; "),
        (LACKING % True, NotInstalledError, "not installed: pip install 'paddlepaddle>=3.0.0' 'x2paddle'"),
        (LACKING % False, WorkerError, "^No module named 'paddle'$"),
    ],
    ids=["crash", "missing package", "another error"],
)
def test_what_goes_wrong_in_a_worker_is_told(tmp_path, code, kind, message):
    with script(tmp_path, code) as worker, pytest.raises(kind, match=message):
        worker.ask("export", 20)


def test_a_worker_that_hangs_is_stopped_with_all_it_started(tmp_path):
    code = (
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    message = "stopped after 2 s while it was to load; --timeout gives more"
    with script(tmp_path, code) as worker, pytest.raises(WorkerError, match=message):
        worker.ask("load", 2)

    def ended(process: int) -> bool:
        try:
            return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    child = int((tmp_path / "child").read_text())
    assert any(ended(child) or time.sleep(0.1) for _ in range(50))


def test_after_a_crash_the_next_request_starts_anew_and_is_answered_again_and_again(tmp_path):
    ran = str(tmp_path / "ran")
    code = f"first = not os.path.exists({ran!r})\nopen({ran!r}, 'w').close()\nif first: os._exit(3)\n"
    code += "while True: parent.send(parent.recv()[1])\n"
    with script(tmp_path, code) as worker:
        with pytest.raises(WorkerError, match=r"ended with code 3 while it was to say; its output is in .*log"):
            worker.ask("say", 20)
        assert [worker.ask("say", 20, n=n) for n in range(3)] == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_progress_prints_lines_where_there_is_no_terminal():
    board = Board(["a"], ["onnx"], stream := io.StringIO())
    board.set("a", "onnx", "exporting")
    board.set("a", "onnx", "timing 7/50", quiet=True)
    assert stream.getvalue() == "0:00 a onnx: exporting\n"


def test_progress_redraws_one_table_on_a_terminal(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    board = Board(["a", "b"], ["onnx", "ncnn"], stream)
    board.set("a", "onnx", "ok, 3.1 ms", done=True)
    board.set("b", "ncnn", "exporting")
    _, last = stream.getvalue().split("\x1b[4A")  # a heading, two models and the line below them are drawn over
    assert all(text in last for text in ("ok, 3.1 ms", "exporting", "1 of 4 done"))


def test_the_settings_of_workers_hold_a_font_and_switch_services_off(tmp_path):
    found = environment(2, tmp_path)
    assert (found["OMP_NUM_THREADS"], found["YOLO_AUTOINSTALL"], found["YOLO_OFFLINE"]) == ("2", "false", "true")
    assert (tmp_path / "Ultralytics" / "Arial.ttf").stat().st_size > 10_000
    settings = json.loads((tmp_path / "Ultralytics" / "settings.json").read_text())
    assert not any(value is True for value in settings.values())
    assert "datasets_dir" in settings


REFUSED = """
import builtins, importlib, sys
from ultralytics.utils import files
real, refusals = builtins.__import__, ["cannot enable executable stack"]
def refusing(name, *args, **kwargs):
    if name == "MNN" and refusals:
        raise ImportError(refusals.pop())
    return real(name, *args, **kwargs)
def cleared(name, *patterns):  # as Ultralytics does, but for the flag in the library
    for module in [module for module in sys.modules if module.startswith(name + ".")]:
        del sys.modules[module]
    return importlib.import_module(name)
builtins.__import__, files.import_execstack = refusing, cleared
"""


@pytest.mark.skipif(find_spec("MNN") is None, reason="MNN is not installed")
@pytest.mark.parametrize("before", ["", REFUSED], ids=["as it is", "once its library was refused"])
def test_mnns_converter_installs_nothing_and_reports_nothing(before, tmp_path):
    pip = tmp_path / "pip"
    pip.write_text(f"#!/bin/sh\ntouch {tmp_path / 'installed'}\n")
    pip.chmod(0o755)
    program = (
        f"{before}\nfrom yolo_plugins.comparing.runtimes import import_mnn; import_mnn()\n"
        "from MNN.tools import mnnconvert; print('logger', mnnconvert.mnn_logger)"
    )
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert "logger None" in run.stdout.splitlines()  # beside what MNN itself prints, sooner or later
    assert not (tmp_path / "installed").exists()
