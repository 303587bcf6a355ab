"""What users do, as they do it: fresh interpreters, other folders, nothing imported by hand, after `activate` only."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import Environment

TRAIN = ["imgsz=64", "epochs=2", "batch=4", "workers=0", "plots=False", "val=True", "seed=0", "amp=False"]


@pytest.fixture(scope="session", params=["detect", "segment"])
def trained(
    request: pytest.FixtureRequest, active: Environment, shapes: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """`best.pt` of a short training with the plain `yolo` command, and nothing else of ours."""
    folder = tmp_path_factory.mktemp(request.param)
    name = "yolov8n-ghost-seg.yaml" if request.param == "segment" else "yolov8n-shuffle.yaml"
    done = active.run(
        "yolo", "train", f"model={name}", f"data={shapes}", *TRAIN, f"project={folder}", "name=t", cwd=folder
    )
    assert "yolo_plugins." in done.stdout + done.stderr
    return folder / "t" / "weights" / "best.pt"


def test_a_checkpoint_validates_and_predicts_elsewhere(
    trained: Path, active: Environment, shapes: Path, tmp_path: Path
) -> None:
    done = active.run(
        "yolo", "val", f"model={trained}", f"data={shapes}", "imgsz=64", "workers=0", "plots=False", cwd=tmp_path
    )
    assert "mAP50" in done.stdout + done.stderr
    image = next((shapes.parent / "images" / "val").glob("*.jpg"))
    active.run(
        "yolo", "predict", f"model={trained}", f"source={image}", "imgsz=64", f"project={tmp_path}", cwd=tmp_path
    )
    assert list(tmp_path.rglob(image.name))


def test_training_resumes_from_a_checkpoint_made_midway(
    trained: Path, active: Environment, shapes: Path, tmp_path: Path
) -> None:
    interrupt = (
        "from ultralytics import YOLO\n"
        "import os, sys\n"
        f"model = YOLO(r'{trained}')\n"
        "model.add_callback('on_model_save', lambda trainer: os._exit(0) if trainer.epoch == 0 else None)\n"
        f"data, folder = r'{shapes}', r'{tmp_path}'\n"
        "options = dict(imgsz=64, epochs=2, batch=4, workers=0, plots=False)\n"
        "model.train(data=data, project=folder, name='r', **options)\n"
    )
    active.run("python", "-c", interrupt, cwd=tmp_path)
    last = tmp_path / "r" / "weights" / "last.pt"
    assert last.is_file()
    done = active.run("yolo", "train", "resume", f"model={last}", cwd=tmp_path)
    assert "Resuming training" in done.stdout + done.stderr
    assert len((tmp_path / "r" / "results.csv").read_text().splitlines()) == 3


def test_an_exported_onnx_file_agrees_with_torch(trained: Path, active: Environment, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    copy = shutil.copy(trained, tmp_path / "best.pt")
    active.run("yolo", "export", f"model={copy}", "format=onnx", "imgsz=64", "simplify=False", cwd=tmp_path)
    compare = (
        "import numpy as np, onnxruntime, torch\n"
        "from ultralytics import YOLO\n"
        "x = torch.rand(1, 3, 64, 64)\n"
        "model = YOLO('best.pt').model.fuse(verbose=False).eval()\n"
        "y = model(x)[0]\n"
        "y = y[0] if isinstance(y, tuple) else y\n"
        "session = onnxruntime.InferenceSession('best.onnx', providers=['CPUExecutionProvider'])\n"
        "z = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]\n"
        "print('difference', float(np.abs(y.detach().numpy() - z).max()))\n"
    )
    done = active.run("python", "-c", compare, cwd=tmp_path)
    difference = float(done.stdout.split("difference")[1])
    assert difference < 1e-2, "in pixels and scores, on boxes of up to 64 pixels"


def test_restricted_loading_accepts_our_checkpoint(trained: Path, active: Environment, tmp_path: Path) -> None:
    load = f"from ultralytics import YOLO; print(type(YOLO(r'{trained}').model).__name__)"
    done = active.run("python", "-c", load, cwd=tmp_path, ULTRALYTICS_SAFE_LOAD="1")
    assert "Model" in done.stdout


def test_a_checkpoint_loads_without_activation_but_not_without_the_package(
    trained: Path, environment: Environment, tmp_path: Path
) -> None:
    load = f"from ultralytics import YOLO; print(YOLO(r'{trained}').task)"
    assert environment.run("python", "-c", load, cwd=tmp_path).stdout.strip() in ("detect", "segment")
    hide = "import sys; sys.modules['yolo_plugins'] = None; "
    done = environment.run("python", "-c", hide + load, cwd=tmp_path, check=False)
    assert done.returncode != 0
    assert "yolo_plugins" in done.stdout + done.stderr


def test_a_ddp_worker_script_builds_the_model(active: Environment, shapes: Path, tmp_path: Path) -> None:
    pytest.importorskip("cloudpickle")
    generate = (
        "from ultralytics.models.yolo.detect import DetectionTrainer\n"
        "from ultralytics.utils.dist import generate_ddp_file\n"
        f"overrides = dict(model='yolov8n-ghost.yaml', data=r'{shapes}', imgsz=64, epochs=1, batch=4, workers=0,\n"
        f"                 project=r'{tmp_path}', name='ddp', plots=False, device='cpu')\n"
        "print('FILE', generate_ddp_file(DetectionTrainer(overrides=overrides)))\n"
    )
    file = active.run("python", "-c", generate, cwd=tmp_path).stdout.split("FILE")[1].strip()
    done = active.run("python", file, cwd=tmp_path)
    assert "yolo_plugins.ghost.GhostConv" in done.stdout + done.stderr


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_data_loader_started_afresh_can_use_our_blocks(method: str, active: Environment, tmp_path: Path) -> None:
    script = tmp_path / "loader.py"
    script.write_text(
        "import torch\n"
        "from torch.utils.data import DataLoader, Dataset\n"
        "class Built(Dataset):\n"
        "    def __len__(self):\n"
        "        return 2\n"
        "    def __getitem__(self, i):\n"
        "        from ultralytics import YOLO\n"
        "        return sum(p.numel() for p in YOLO('yolov8n-se.yaml').model.parameters())\n"
        "if __name__ == '__main__':\n"
        f"    print([int(n) for n in DataLoader(Built(), num_workers=1, multiprocessing_context='{method}')])\n"
    )
    assert "[3163472, 3163472]" in active.run("python", script, cwd=tmp_path).stdout


@pytest.mark.parametrize(
    "order", ["from ultralytics.nn import tasks", "import ultralytics", "import yolo_plugins, torch"]
)
def test_the_hook_fires_whatever_is_imported_first(order: str, active: Environment, tmp_path: Path) -> None:
    code = f"{order}; from ultralytics import YOLO; print(YOLO('yolov8n-ghost.yaml').model.yaml['backbone'][3][2])"
    assert "plugins.GhostConv" in active.run("python", "-c", code, cwd=tmp_path).stdout


def test_applying_in_python_where_it_is_activated_applies_once(active: Environment, tmp_path: Path) -> None:
    code = (
        "import patch_ultralytics; patch_ultralytics.apply()\n"
        "from ultralytics import YOLO; from ultralytics.nn import tasks\n"
        "print(len(patch_ultralytics._undo), YOLO('yolov8n-shuffle.yaml').task)\n"
        "patch_ultralytics.revert(); print(tasks.check_yaml.__module__, '_yolo_plugins' in vars(tasks))"
    )
    done = active.run("python", "-c", code, cwd=tmp_path).stdout.splitlines()
    assert done[-2].split()[1] == "detect"
    assert int(done[-2].split()[0]) == code_steps()
    assert done[-1] == "ultralytics.utils.checks False"


def code_steps() -> int:
    """How many steps one application of the patch takes."""
    import patch_ultralytics

    patch_ultralytics.apply()
    return len(patch_ultralytics._undo)


def test_the_hook_fires_for_an_ultralytics_that_is_imported_already(environment: Environment, tmp_path: Path) -> None:
    code = "from ultralytics.nn import tasks; import patch_ultralytics as p; p.install_hook(); print(p.active())"
    assert environment.run("python", "-c", code, cwd=tmp_path).stdout.strip() == "True"


def test_nothing_changes_without_activation(environment: Environment, tmp_path: Path) -> None:
    code = (
        "import sys; from ultralytics import YOLO\n"
        "print(YOLO('yolov8n-ghost.yaml').model.yaml['backbone'][3][2], 'yolo_plugins' in sys.modules)"
    )
    assert environment.run("python", "-c", code, cwd=tmp_path).stdout.split() == ["GhostConv", "False"]


def test_an_environment_variable_switches_it_off_for_one_process(active: Environment, tmp_path: Path) -> None:
    code = "from ultralytics import YOLO; print(YOLO('yolov8n-ghost.yaml').model.yaml['backbone'][3][2])"
    assert active.run("python", "-c", code, cwd=tmp_path, YOLO_PLUGINS="0").stdout.strip() == "GhostConv"


def test_starting_python_imports_neither_torch_nor_ultralytics(active: Environment, tmp_path: Path) -> None:
    code = "import sys; print(sorted({'torch', 'ultralytics', 'yolo_plugins', 'patch_ultralytics'} & set(sys.modules)))"
    assert active.run("python", "-c", code, cwd=tmp_path).stdout.strip() == "['patch_ultralytics']"


def test_a_bad_model_file_ends_the_yolo_command_with_file_row_and_block(
    active: Environment, shapes: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(
        "nc: 4\nbackbone:\n- [-1, 1, Conv, [16, 3, 2]]\n- [-1, 1, plugins.GostConv, [32, 3, 2]]\n"
        "head:\n- [[1], 1, Detect, [nc]]\n"
    )
    done = active.run("yolo", "train", "model=mine.yaml", f"data={shapes}", *TRAIN, cwd=tmp_path, check=False)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "mine.yaml: row 1 (plugins.GostConv): no module of this name; did you mean plugins.GhostConv" in last
