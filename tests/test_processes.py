"""What users do, as they do it: fresh interpreters, other folders, nothing imported by hand, after `activate` only."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from conftest import Environment, make_environment
from yolo_plugins import model_yamls

CHECKPOINT = Path(__file__).parent / "data" / "0.1.0-detect.pt"
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


def test_training_resumes_after_a_kill_in_mid_epoch(
    trained: Path, active: Environment, shapes: Path, tmp_path: Path
) -> None:
    interrupt = (
        "from ultralytics import YOLO\n"
        "import os, signal\n"
        f"model = YOLO(r'{trained}')\n"
        "kill = lambda trainer: os.kill(os.getpid(), signal.SIGKILL) if trainer.epoch == 1 else None\n"
        "model.add_callback('on_train_batch_end', kill)\n"
        f"data, folder = r'{shapes}', r'{tmp_path}'\n"
        "options = dict(imgsz=64, epochs=2, batch=4, workers=0, plots=False)\n"
        "model.train(data=data, project=folder, name='r', **options)\n"
    )
    assert active.run("python", "-c", interrupt, cwd=tmp_path, check=False).returncode == -signal.SIGKILL
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
    assert "best.pt appears to require 'yolo_plugins" in done.stdout + done.stderr, "in Ultralytics' words"


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
    assert "yolo_plugins.GhostConv" in done.stdout + done.stderr


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
        "print(YOLO('yolov8n-shuffle.yaml').task)\n"
        "patch_ultralytics.revert()\n"
        "print(tasks.check_yaml.__module__, [name for name in vars(tasks) if 'plugins' in name])"
    )
    done = active.run("python", "-c", code, cwd=tmp_path).stdout.splitlines()
    assert done[-2:] == ["detect", "ultralytics.utils.checks []"], "once taken back, nothing of ours is left"


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


def test_threads_may_load_two_models_at_once_as_the_first_thing(active: Environment, tmp_path: Path) -> None:
    code = (
        "import threading\n"
        "def load(name):\n"
        "    from ultralytics import YOLO\n"
        "    print(name[-9:], sum(p.numel() for p in YOLO(name).model.parameters()), flush=True)\n"
        f"names = [r'{CHECKPOINT}', 'yolov8n-se.yaml'] * 2\n"
        "threads = [threading.Thread(target=load, args=(name,)) for name in names]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
    )
    lines = active.run("python", "-c", code, cwd=tmp_path).stdout.splitlines()
    assert len(lines) == 4
    assert len(set(lines)) == 2
    assert "n-se.yaml 3163472" in lines


CHAIN = "        if m in base_modules:"
CHANGES = {
    "with one branch more is taught as any": (f"        if i < 0:\n            pass\n{CHAIN}", True),
    "of another shape is left alone": ("        if base_modules.__contains__(m):", False),
}


@pytest.mark.parametrize(("change", "applies"), CHANGES.values(), ids=CHANGES)
def test_an_unknown_newer_ultralytics(change: str, applies: bool, tmp_path: Path) -> None:
    environment = make_environment(tmp_path / "venv")
    tasks = newer_ultralytics(environment) / "nn" / "tasks.py"
    text = tasks.read_text()
    assert text.count(CHAIN) == 1
    tasks.write_text(text.replace(CHAIN, change))
    environment.run("yolo-plugins", "activate", cwd=tmp_path)
    code = (
        "from ultralytics import YOLO, __version__; print(__version__, YOLO('yolov8n.yaml').task, flush=True)\n"
        f"YOLO(r'{Path(model_yamls.__file__).with_name('yolov8-se.yaml')}')"
    )
    done = environment.run("python", "-c", code, cwd=tmp_path, check=False)
    assert "99.0.0 detect" in done.stdout, "stock models work"
    ours = [line for line in done.stderr.splitlines() if "yolo-plugins" in line]
    if applies:
        assert done.returncode == 0
        assert not ours, "no noise"
    else:
        (warning,) = ours
        assert warning.startswith("WARNING yolo-plugins is not active: parse_model of Ultralytics 99.0.0 has a shape")
        assert "pip install -U yolo-plugins or pip install ultralytics==8." in warning
        assert done.stderr.splitlines()[-1] == "KeyError: 'plugins.C2fSE'", "in Ultralytics' words"


def newer_ultralytics(environment: Environment) -> Path:
    """A copy by links of the Ultralytics installed, of version 99; `nn` and `__init__.py` are files of its own."""
    import ultralytics

    source = Path(ultralytics.__file__).parent
    package = environment.site_packages / "ultralytics"
    package.mkdir()
    for path in source.iterdir():
        if path.name not in ("nn", "__init__.py", "__pycache__"):
            (package / path.name).symlink_to(path)
    shutil.copytree(source / "nn", package / "nn", ignore=shutil.ignore_patterns("__pycache__"))
    text = (source / "__init__.py").read_text()
    (package / "__init__.py").write_text(text.replace(f'"{ultralytics.__version__}"', '"99.0.0"'))
    return package


@pytest.mark.slow
def test_two_processes_train_together_on_the_cpu(active: Environment, shapes: Path, tmp_path: Path) -> None:
    """Ultralytics shards the data; wrapping models, done here, and validating in workers it does on GPUs only."""
    script = tmp_path / "worker.py"
    script.write_text(
        "import torch, torch.distributed as dist\n"
        "dist.init_process_group('gloo')\n"
        "from ultralytics import YOLO\n"
        "from ultralytics.nn.tasks import DetectionModel\n"
        "torch.manual_seed(0)\n"
        "model = torch.nn.parallel.DistributedDataParallel(DetectionModel('yolov8n-ghost.yaml', verbose=False))\n"
        "torch.manual_seed(1 + dist.get_rank())\n"
        "output = model(torch.rand(2, 3, 64, 64))\n"
        "sum(y.float().square().mean() for y in output.values() if torch.is_tensor(y)).backward()\n"
        "total = sum(float(p.grad.double().sum()) for p in model.parameters() if p.grad is not None)\n"
        "totals = [None, None]\n"
        "dist.all_gather_object(totals, total)\n"
        "print('GRADIENTS', totals[0] == totals[1] != 0, flush=True)\n"
        "sizes = []\n"
        "yolo = YOLO('yolov8n-ghost.yaml')\n"
        "def trained(trainer):\n"
        "    sizes.append(len(trainer.train_loader.sampler))\n"
        "    trainer.validate, trainer.final_eval = (lambda: ({}, 0.0)), (lambda: None)\n"
        "yolo.add_callback('on_train_epoch_end', trained)\n"
        f"yolo.train(data=r'{shapes}', epochs=1, imgsz=64, batch=4, workers=0, plots=False, val=False, amp=False,\n"
        f"           device='cpu', project=r'{tmp_path}', name='ddp')\n"
        "print('SHARD', sizes, flush=True)\n"
        "dist.destroy_process_group()\n"
    )
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    done = active.run("python", *launch, cwd=tmp_path, timeout=900)
    said = done.stdout + done.stderr
    assert said.count("GRADIENTS True") == 2
    assert said.count("SHARD [4]") == 2, "each process has trained on half of the eight images"
    assert (tmp_path / "ddp" / "weights" / "last.pt").is_file()


@pytest.mark.slow
def test_ray_tunes_one_of_our_models(active: Environment, shapes: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray.tune")
    code = (
        "import ray\n"
        "ray.init(num_cpus=2, include_dashboard=False)\n"
        "from ray import tune\n"
        "from ultralytics import YOLO\n"
        "grid = YOLO('yolov8n-ghost.yaml').tune(\n"
        f"    data=r'{shapes}', use_ray=True, iterations=2, search_alg='random', grace_period=1, epochs=1, imgsz=64,\n"
        "    space={'lr0': tune.uniform(1e-4, 1e-2)}, batch=4, workers=0, plots=False, amp=False, device='cpu',\n"
        f"    project=r'{tmp_path}', name='tune')\n"
        "print('TRIALS', len(grid), 'FAILED', grid.num_errors, flush=True)\n"
        "ray.shutdown()\n"
    )
    done = active.run("python", "-c", code, cwd=tmp_path, check=False, timeout=1500)
    assert "TRIALS 2 FAILED 0" in done.stdout, (done.stdout + done.stderr)[-3000:]
    assert "yolo_plugins.GhostConv" in done.stdout + done.stderr, "the workers have built our model"
