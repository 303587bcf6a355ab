"""Long commands that are killed, run out of disk, or lie in odd folders: nothing is half-written, and they go on.

KILLS=10 kills each command ten times, at random moments, where the suite's long run does it thrice.
"""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from conftest import OFFLINE, Environment
from ultralytics.nn.tasks import DetectionModel
from yolo_plugins.demo.dataset import CLASSES, write
from yolo_plugins.models.building import load, save

KILLS = int(os.environ.get("KILLS", "3"))
COMMANDS = {
    "compare": "compare old.pt yolov8n-lite.yaml --data {data} --formats onnx --imgsz 64 --rounds 2 --threads 1 "
    "-o report",
    "quantize": "quantize old.pt --data {data} --format onnx --imgsz 64 --images 8 --max-drop 1 -o out.onnx --force",
    "transplant": "transplant old.pt --swap se --images {images} --block-steps 60 --joint-steps 60 --batch 2 "
    "-o out.pt --force",
    "ablate": "ablate yolov8n.yaml --add se data={data} epochs=2 imgsz=64 batch=4 workers=0 --seeds 1 --rounds 2 "
    "--threads 1 -o ablation",
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a difficult name with a detector and a few images."""
    folder = tmp_path_factory.mktemp("given") / 'a "new" 中文 folder'
    folder.mkdir()
    torch.manual_seed(0)
    network: Any = DetectionModel("yolov8n.yaml", nc=len(CLASSES), verbose=False)
    network.names, network.task, network.args = dict(enumerate(CLASSES)), "detect", {}
    save(network, folder / "old.pt", {"imgsz": 64})
    write(folder / "shapes", train=8, val=4, size=64)
    return folder


def words(name: str, folder: Path) -> list[str]:
    places = {"data": "shapes/shapes.yaml", "images": "shapes/images/train"}
    return [part.format(**places) for part in COMMANDS[name].split()]


def started(active: Environment, name: str, folder: Path, **options: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, **OFFLINE, "HOME": str(folder.parent / "home"), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    command = [active.folder / "bin" / "yolo-plugins", *words(name, folder)]
    return subprocess.Popen(command, cwd=folder, env={**environment, **options.pop("env", {})}, **pipes, **options)


def ended(active: Environment, name: str, folder: Path, **options: Any) -> None:
    run = started(active, name, folder, **options)
    said = run.communicate(timeout=600)
    assert run.returncode == 0, "\n".join(said)[-3000:]


def outcome(name: str, folder: Path) -> Any:
    """What a run came to, without what differs from run to run."""
    if name == "compare":
        rows = json.loads((folder / "report" / "results.json").read_text(encoding="utf-8"))["rows"]
        return [(row["model"], row["format"], row["map"], row["mb"]) for row in rows]
    if name == "quantize":
        graph = onnx.load(folder / "out.onnx").graph
        return [(tensor.name, tensor.raw_data) for tensor in graph.initializer]
    if name == "transplant":
        return sum(p.numel() for p in load(folder / "out.pt")[0].parameters())
    table = json.loads((folder / "ablation" / "results.json").read_text(encoding="utf-8"))
    return [(row["model"], row["map"]) for row in table["rows"]]


@pytest.fixture(scope="module")
def whole(active: Environment, given: Path) -> Callable[[str], tuple[Any, float, set[str]]]:
    """What a command comes to that nothing disturbs, its seconds, and the names of what it leaves."""
    known: dict[str, tuple[Any, float, set[str]]] = {}

    def of(name: str) -> tuple[Any, float, set[str]]:
        if name not in known:
            folder = shutil.copytree(given, given.parent / f'whole "{name}"')
            begin = time.monotonic()
            ended(active, name, folder)
            known[name] = outcome(name, folder), time.monotonic() - begin, {path.name for path in folder.iterdir()}
        return known[name]

    return of


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_killed_time_and_again_comes_to_the_same(
    name: str, active: Environment, given: Path, whole: Callable[[str], Any], tmp_path: Path
) -> None:
    expected, seconds, left = whole(name)
    folder, chance = shutil.copytree(given, tmp_path / given.name), random.Random(0)
    for _ in range(KILLS):
        run = started(active, name, folder)
        time.sleep(chance.uniform(0.2, 0.9) * seconds)
        os.kill(run.pid, signal.SIGKILL)  # it alone: what it started has to notice
        run.communicate()
        for file in folder.glob("out.*"):  # what has its name is whole
            assert outcome(name, folder) == expected, file.name
    ended(active, name, folder)
    assert outcome(name, folder) == expected
    assert {path.name for path in folder.iterdir()} == left, "nothing else is left"


@pytest.mark.parametrize("name", ["quantize", "transplant", "compare"])
def test_a_full_disk_is_said_and_leaves_no_file_of_half_its_size(
    name: str, active: Environment, given: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(given, tmp_path / given.name)

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    run = started(active, name, folder, preexec_fn=small)
    out, err = run.communicate(timeout=600)
    assert run.returncode == 1
    assert "Traceback" not in err
    assert "File too large" in out + err or "Errno 27" in out + err
    assert not list(folder.glob("out.*"))
    ended(active, name, folder)  # once there is room, all is well


@pytest.mark.parametrize("name", ["compare", "ablate"])
def test_a_clock_that_jumps_and_a_home_that_cannot_be_written_disturb_nothing(
    name: str, active: Environment, given: Path, whole: Callable[[str], Any], tmp_path: Path
) -> None:
    folder, site = shutil.copytree(given, tmp_path / given.name), tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import time\nreal, start = time.time, time.time()\n"
        "time.time = lambda: real() - 86400 * (real() - start > 6) + 999 * (int(real()) % 3 == 0)\n"
    )
    ended(active, name, folder, env={"PYTHONPATH": str(site), "HOME": "/dev/null"})
    assert outcome(name, folder) == whole(name)[0]


def test_an_apostrophe_is_said_to_be_more_than_ultralytics_can_find(given: Path, tmp_path: Path) -> None:
    file = shutil.copy(given / "old.pt", tmp_path / "it's old.pt")
    with pytest.raises(ValueError, match="Ultralytics drops every ' from a path"):
        load(file)


def test_two_runs_to_one_file_leave_a_whole_one(active: Environment, given: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(given, tmp_path / given.name)
    runs = [started(active, "quantize", folder) for _ in range(2)]
    for run in runs:
        run.communicate(timeout=600)
    assert any(run.returncode == 0 for run in runs)
    onnx.checker.check_model(onnx.load(folder / "out.onnx"))


def test_two_hundred_interpreters_start_while_the_pack_is_activated_and_deactivated(
    environment: Environment, tmp_path: Path
) -> None:
    """Each knows the pack or does not, and says nothing."""
    said, program = [], "import sys; print('patch_ultralytics' in sys.modules)"
    for number in range(25):
        command = "activate" if number % 2 == 0 else "deactivate"
        switch = subprocess.Popen(
            [environment.python, environment.folder / "bin" / "yolo-plugins", command], stdout=subprocess.DEVNULL
        )
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        starts = [subprocess.Popen([environment.python, "-c", program], cwd=tmp_path, **pipes) for _ in range(8)]
        said += [start.communicate(timeout=120)[0] for start in starts]
        assert switch.wait(timeout=120) == 0
    assert len(said) == 200
    assert set(said) <= {"True\n", "False\n"}
