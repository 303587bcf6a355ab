"""Series of training runs: what is held out, what is kept, what goes on, and what several seeds show."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from scipy import stats
from yolo_plugins.training.arguments import parse
from yolo_plugins.training.held_out import digest, hold_out
from yolo_plugins.training.ray_runs import gpus_of, on_gpus
from yolo_plugins.training.seeds import difference, spread
from yolo_plugins.training.series import Run, result, train_all

QUICK = {"imgsz": 32, "batch": 4, "device": "cpu", "workers": 0, "pretrained": False, "amp": False}


def lists(data: Path) -> dict[str, list[str]]:
    return {part: (data.parent / f"{part}.txt").read_text().split() for part in ("train", "val", "test")}


def test_choices_are_made_on_held_out_training_images_and_the_rest_is_a_test(shapes: Path, tmp_path: Path) -> None:
    parts = lists(hold_out(shapes, tmp_path / "a", share=0.25))
    training = {str(path) for path in (shapes.parent / "images" / "train").resolve().iterdir()}
    assert {*parts["train"], *parts["val"]} == training
    assert not {*parts["train"]} & {*parts["val"]}
    assert len(parts["val"]) == round(len(training) / 4)
    assert {*parts["test"]} == {str(path) for path in (shapes.parent / "images" / "val").resolve().iterdir()}
    assert parts == lists(hold_out(shapes, tmp_path / "b", share=0.25)), "the same seed, the same parts"
    assert parts["val"] != lists(hold_out(shapes, tmp_path / "c", share=0.25, seed=1))["val"]


@pytest.mark.parametrize("share", [0, 1], ids=["nothing held out", "nothing left"])
def test_an_empty_part_is_refused(share: float, shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"shapes.yaml: a share of \d of \d+ training images leaves one part empty"):
        hold_out(shapes, tmp_path, share)


def test_the_same_images_are_the_same_data_in_another_folder(shapes: Path, tmp_path: Path) -> None:
    first, second = (hold_out(shapes, tmp_path / name) for name in "ab")
    assert digest(first) == digest(second) != digest(hold_out(shapes, tmp_path / "c", seed=1))


def test_a_run_is_the_same_wherever_it_takes_place_and_whatever_comments_say(tmp_path: Path) -> None:
    text = "nc: 2\nbackbone:\n  - [-1, 1, Conv, [8, 3, 2]]\nhead:\n  - [[0], 1, Detect, [nc]]\n"
    (tmp_path / "one.yaml").write_text(text)
    here = Run("a", str(tmp_path / "one.yaml"), "data.yaml", 0, QUICK).folder(tmp_path)
    (tmp_path / "one.yaml").write_text(f"# said\n{text}")
    assert here == Run("b", str(tmp_path / "one.yaml"), "data.yaml", 0, {**QUICK, "device": "0"}).folder(tmp_path)
    (tmp_path / "one.yaml").write_text(text.replace("8, 3", "16, 3"))
    others = [
        Run("a", str(tmp_path / "one.yaml"), "data.yaml", 0, QUICK),
        Run("a", "yolov8n.yaml", "data.yaml", 0, QUICK),
        Run("a", "yolov8s.yaml", "data.yaml", 0, QUICK),
        Run("a", "yolov8n.yaml", "data.yaml", 1, QUICK),
        Run("a", "yolov8n.yaml", "data.yaml", 0, {**QUICK, "epochs": 2}),
    ]
    assert len({here, *(run.folder(tmp_path) for run in others)}) == 6


@pytest.mark.slow
def test_a_stopped_run_goes_on_and_a_finished_one_is_kept(shapes: Path, tmp_path: Path) -> None:
    data = str(hold_out(shapes, tmp_path / "data"))
    run = Run("ghost", "yolov8n-ghost.yaml", data, 0, {**QUICK, "epochs": 12})
    folder = run.folder(tmp_path / "store")
    code = (
        "from yolo_plugins.training.series import *; from pathlib import Path; import sys\n"
        f"train_all([Run('ghost', 'yolov8n-ghost.yaml', {data!r}, 0, {dict(run.arguments)!r})], Path(sys.argv[1]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "store")])
    while not (folder / "train" / "weights" / "last.pt").is_file():
        assert process.poll() is None, (folder / "log.txt").read_text()
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive, "a training outlives the process that started it"
    (done,) = train_all([run], tmp_path / "store", note=lambda text: None)
    log = (folder / "log.txt").read_text()
    assert "Resuming training" in log
    assert len((folder / "train" / "results.csv").read_text().splitlines()) == 13
    assert {"map", "map50"} <= done["val"].keys() & done["test"].keys()
    (again,) = train_all([run], tmp_path / "store", note=lambda text: pytest.fail("it ran again"))
    assert again == done == {**result(folder), "label": "ghost"}


def test_a_run_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    child = (
        "import subprocess, sys, time; from yolo_plugins.training.processes import end_with_parent; end_with_parent()\n"
        "subprocess.Popen(['sleep', '60']); print('begun', flush=True); time.sleep(60)"
    )
    parent = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {child!r}], stdin=subprocess.PIPE, start_new_session=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) == 2
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive


@pytest.mark.parametrize(
    ("device", "gpus"),
    [("cpu", 0), ("mps", 0), (0, 1), ("0", 1), ("0,1", 2), ([0, 1], 2), ("-1", 1), (None, 1), ("", 1)],
)
def test_a_cluster_is_asked_for_as_many_gpus_as_a_run_takes_and_says_which(device: Any, gpus: int) -> None:
    assert gpus_of(device, any_there=True) == gpus
    assert gpus_of(None, any_there=False) == 0
    asked = {"epochs": 3, "device": device}
    given = ["2", "3"][:gpus]
    assert on_gpus(asked, given)["device"] == (",".join(given) if gpus else device)


def test_a_run_takes_its_models_file_to_another_machine_unless_it_is_found_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "yolov8-mine.yaml").write_text("nc: 1\n")
    assert Run("a", "yolov8n-ghost.yaml", "d.yaml").content() is None
    assert Run("a", "yolov8n.yaml", "d.yaml").order()["model"] == "yolov8n.yaml"
    mine = Run("a", "yolov8n-mine.yaml", "d.yaml")
    assert mine.content() == b"nc: 1\n"
    assert mine.order()["model"] == str(tmp_path / "yolov8n-mine.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("epochs=3", 3),
        ("lr0=1e-3", 0.001),
        ("cos_lr=true", True),
        ("optimizer=SGD", "SGD"),
        ("freeze=[0, 1]", [0, 1]),
        ("device=0,1", "0,1"),
        ("pretrained=a=b.pt", "a=b.pt"),
        ("dropout=None", None),
    ],
)
def test_arguments_are_read_as_ultralytics_reads_them(text: str, value: Any) -> None:
    from ultralytics.cfg import smart_value

    assert parse([text]) == {text.partition("=")[0]: value}
    if not text.startswith("device"):
        assert smart_value(text.partition("=")[2]) == value


def test_a_failed_run_is_named_with_its_reason(tmp_path: Path) -> None:
    rows = "backbone:\n  - [-1, 1, plugins.GhostConv, [0]]\nhead:\n  - [-1, 1, Detect, [nc]]\n"
    (tmp_path / "bad.yaml").write_text(f"nc: 2\n{rows}")
    with pytest.raises(RuntimeError, match=r"1 of 1 runs failed: bad-s0-\w+; .*row 0 \(plugins.GhostConv\)"):
        train_all([Run("bad", str(tmp_path / "bad.yaml"), "coco8.yaml", 0, QUICK)], tmp_path, note=lambda text: None)


def test_differences_have_the_interval_of_the_paired_t_test() -> None:
    scores, base = {0: 0.52, 1: 0.50, 2: 0.55, 7: 0.9}, {0: 0.48, 1: 0.47, 2: 0.49, 5: 0.1}
    found = difference(scores, base)
    pairs = [scores[seed] - base[seed] for seed in range(3)]
    expected = stats.ttest_1samp(pairs, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-3)
    assert found.beyond_chance == (stats.ttest_1samp(pairs, 0).pvalue < 0.05)
    assert difference({0: 0.5}, {0: 0.4}).low is None, "one seed shows nothing of chance"
    assert str(spread({0: 0.5, 1: 0.6})) == "0.550 ± 0.071"


def test_seeds_that_do_not_meet_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no seed is in both: \[0\] and \[1\]"):
        difference({0: 0.5}, {1: 0.5})
