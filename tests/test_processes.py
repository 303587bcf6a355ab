"""What users do, as they do it: fresh interpreters, other folders, nothing imported by hand, after `activate` only."""

import shutil
import signal
from pathlib import Path

import pytest
from conftest import Environment, mostly_slow
from yolo_plugins import model_yamls

CHECKPOINT = Path(__file__).parent / "data" / "0.1.0-detect.pt"
TRAIN = ["imgsz=64", "epochs=2", "batch=4", "workers=0", "plots=False", "val=True", "seed=0", "amp=False"]


@pytest.fixture(scope="session", params=mostly_slow(["detect", "segment"], ["segment"]))
def trained(
    request: pytest.FixtureRequest, active: Environment, shapes: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """`best.pt` of a short training with the plain `yolo` command, and nothing else of ours."""
    folder = tmp_path_factory.mktemp(request.param)
    model = "model=yolov8n-ghost-seg.yaml" if request.param == "segment" else "model=yolov8n-shuffle.yaml"
    active.run("yolo", "train", model, f"data={shapes}", *TRAIN, f"project={folder}", "name=t", cwd=folder)
    return folder / "t" / "weights" / "best.pt"


def test_a_checkpoint_validates_and_predicts_elsewhere_where_loading_is_restricted_too(
    trained: Path, active: Environment, shapes: Path, tmp_path: Path
) -> None:
    model = f"model={trained}"
    done = active.run("yolo", "val", model, f"data={shapes}", "imgsz=64", "workers=0", "plots=False", cwd=tmp_path)
    assert "mAP50" in done.stdout + done.stderr
    image = next((shapes.parent / "images" / "val").glob("*.jpg"))
    predict = ["yolo", "predict", model, f"source={image}", "imgsz=64", f"project={tmp_path}"]
    active.run(*predict, cwd=tmp_path, ULTRALYTICS_SAFE_LOAD="1")
    assert list(tmp_path.rglob(image.name))


@pytest.mark.slow
def test_training_resumes_after_a_kill_in_mid_epoch(
    trained: Path, active: Environment, shapes: Path, tmp_path: Path
) -> None:
    interrupt = f"""
import os, signal
from ultralytics import YOLO
model = YOLO(r'{trained}')
kill = lambda trainer: os.kill(os.getpid(), signal.SIGKILL) if trainer.epoch == 1 else None
model.add_callback('on_train_batch_end', kill)
options = dict(imgsz=64, epochs=2, batch=4, workers=0, plots=False)
model.train(data=r'{shapes}', project=r'{tmp_path}', name='r', **options)
"""
    assert active.run("python", "-c", interrupt, cwd=tmp_path, check=False).returncode == -signal.SIGKILL
    done = active.run("yolo", "train", "resume", f"model={tmp_path / 'r' / 'weights' / 'last.pt'}", cwd=tmp_path)
    assert "Resuming training" in done.stdout + done.stderr
    assert len((tmp_path / "r" / "results.csv").read_text().splitlines()) == 3


def test_a_checkpoint_loads_without_activation_but_not_without_the_package(
    environment: Environment, tmp_path: Path
) -> None:
    load = f"from ultralytics import YOLO; print(YOLO(r'{CHECKPOINT}').task)"
    assert environment.run("python", "-c", load, cwd=tmp_path).stdout.strip() == "detect"
    hide = "import sys; sys.modules['yolo_plugins'] = None; "
    done = environment.run("python", "-c", hide + load, cwd=tmp_path, check=False)
    assert done.returncode != 0
    assert f"{CHECKPOINT.name} appears to require 'yolo_plugins" in done.stdout + done.stderr, "in Ultralytics' words"


def test_a_ddp_worker_script_builds_the_model(active: Environment, shapes: Path, tmp_path: Path) -> None:
    pytest.importorskip("cloudpickle")
    generate = f"""
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils.dist import generate_ddp_file
overrides = dict(model='yolov8n-ghost.yaml', data=r'{shapes}', imgsz=64, epochs=1, batch=4, workers=0,
                 project=r'{tmp_path}', name='ddp', plots=False, device='cpu')
print('FILE', generate_ddp_file(DetectionTrainer(overrides=overrides)))
"""
    file = active.run("python", "-c", generate, cwd=tmp_path).stdout.split("FILE")[1].strip()
    done = active.run("python", file, cwd=tmp_path)
    assert "yolo_plugins.GhostConv" in done.stdout + done.stderr


@pytest.mark.slow
def test_data_loaders_started_afresh_can_use_our_blocks(active: Environment, tmp_path: Path) -> None:
    script = tmp_path / "loader.py"
    script.write_text("""
from torch.utils.data import DataLoader, Dataset
class Built(Dataset):
    def __len__(self):
        return 2
    def __getitem__(self, i):
        from ultralytics import YOLO
        return sum(p.numel() for p in YOLO('yolov8n-se.yaml').model.parameters())
if __name__ == '__main__':
    for method in ('spawn', 'forkserver'):
        print(method, [int(n) for n in DataLoader(Built(), num_workers=1, multiprocessing_context=method)])
""")
    said = active.run("python", script, cwd=tmp_path).stdout
    assert "spawn [3163472, 3163472]" in said
    assert "forkserver [3163472, 3163472]" in said


@pytest.mark.parametrize(
    "first",
    [
        pytest.param("from ultralytics.nn import tasks", marks=pytest.mark.slow),
        pytest.param("import ultralytics", marks=pytest.mark.slow),
        "import yolo_plugins, torch",
        "import patch_ultralytics; patch_ultralytics.apply()",
    ],
)
def test_the_patch_is_applied_once_whatever_is_done_first(first: str, active: Environment, tmp_path: Path) -> None:
    code = f"""{first}
import patch_ultralytics
from ultralytics import YOLO
from ultralytics.nn import tasks
print(YOLO('yolov8n-ghost.yaml').model.yaml['backbone'][3][2])
patch_ultralytics.revert()
print(tasks.check_yaml.__module__, [name for name in vars(tasks) if 'plugins' in name])
"""
    said = active.run("python", "-c", code, cwd=tmp_path).stdout.splitlines()[-2:]
    assert said == ["plugins.GhostConv", "ultralytics.utils.checks []"], "once taken back, nothing of ours is left"


def test_nothing_changes_until_the_hook_is_installed_or_where_a_variable_switches_it_off(
    environment: Environment, active: Environment, tmp_path: Path
) -> None:
    code = """
import sys
from ultralytics import YOLO
row = lambda: YOLO('yolov8n-ghost.yaml').model.yaml['backbone'][3][2]
print(row(), 'yolo_plugins' in sys.modules)
"""
    assert active.run("python", "-c", code, cwd=tmp_path, YOLO_PLUGINS="0").stdout.strip() == "GhostConv False"
    code += "import patch_ultralytics; patch_ultralytics.install_hook(); print(row())"
    said = environment.run("python", "-c", code, cwd=tmp_path).stdout.splitlines()
    assert (said[0], said[-1]) == ("GhostConv False", "plugins.GhostConv")


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
    code = f"""
import threading
def load(name):
    from ultralytics import YOLO
    print(name[-9:], sum(p.numel() for p in YOLO(name).model.parameters()), flush=True)
threads = [threading.Thread(target=load, args=(name,)) for name in [r'{CHECKPOINT}', 'yolov8n-se.yaml'] * 2]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
"""
    lines = active.run("python", "-c", code, cwd=tmp_path).stdout.splitlines()
    assert len(lines) == 4
    assert len(set(lines)) == 2
    assert "n-se.yaml 3163472" in lines


CHAIN = "        if m in base_modules:"
CHANGES = {
    "with one branch more is taught as any": f"        if i < 0:\n            pass\n{CHAIN}",
    "of another shape is left alone": "        if base_modules.__contains__(m):",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_unknown_newer_ultralytics(change: str, environment: Environment, tmp_path: Path) -> None:
    tasks = newer_ultralytics(environment) / "nn" / "tasks.py"
    text = tasks.read_text()
    assert text.count(CHAIN) == 1
    tasks.write_text(text.replace(CHAIN, change))
    environment.run("yolo-plugins", "activate", cwd=tmp_path)
    code = (
        "from ultralytics import YOLO, __version__; print(__version__, YOLO('yolov8n.yaml').task, flush=True)\n"
        f"YOLO(r'{model_yamls.FOLDER / 'yolov8-se.yaml'}')"
    )
    done = environment.run("python", "-c", code, cwd=tmp_path, check=False)
    assert "99.0.0 detect" in done.stdout, "stock models work"
    ours = [line for line in done.stderr.splitlines() if "yolo-plugins" in line]
    if CHAIN in change:
        assert done.returncode == 0
        assert not ours, "no noise"
    else:
        (warning,) = ours
        assert warning.startswith("WARNING yolo-plugins is not active: Ultralytics 99.0.0 has a parse_model")
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
    script.write_text(f"""
import torch, torch.distributed as dist
dist.init_process_group('gloo')
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel
torch.manual_seed(0)
model = torch.nn.parallel.DistributedDataParallel(DetectionModel('yolov8n-ghost.yaml', verbose=False))
torch.manual_seed(1 + dist.get_rank())
output = model(torch.rand(2, 3, 64, 64))
sum(y.float().square().mean() for y in output.values() if torch.is_tensor(y)).backward()
total = sum(float(p.grad.double().sum()) for p in model.parameters() if p.grad is not None)
totals = [None, None]
dist.all_gather_object(totals, total)
print('GRADIENTS', totals[0] == totals[1] != 0, flush=True)
yolo = YOLO('yolov8n-ghost.yaml')
def trained(trainer):
    print('SHARD', len(trainer.train_loader.sampler), flush=True)
    trainer.validate, trainer.final_eval = (lambda: ({{}}, 0.0)), (lambda: None)
yolo.add_callback('on_train_epoch_end', trained)
yolo.train(data=r'{shapes}', epochs=1, imgsz=64, batch=4, workers=0, plots=False, val=False, amp=False,
           device='cpu', project=r'{tmp_path}', name='ddp')
dist.destroy_process_group()
""")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(script)]
    done = active.run("python", *launch, cwd=tmp_path, timeout=900)
    said = done.stdout + done.stderr
    assert said.count("GRADIENTS True") == 2
    assert said.count("SHARD 4") == 2, "each process has trained on half of the eight images"
    assert (tmp_path / "ddp" / "weights" / "last.pt").is_file()


@pytest.mark.slow
def test_ray_tunes_one_of_our_models(active: Environment, shapes: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray.tune")
    code = f"""
import ray
ray.init(num_cpus=2, include_dashboard=False)
from ray import tune
from ultralytics import YOLO
grid = YOLO('yolov8n-ghost.yaml').tune(
    data=r'{shapes}', use_ray=True, iterations=2, search_alg='random', grace_period=1, epochs=1, imgsz=64,
    space={{'lr0': tune.uniform(1e-4, 1e-2)}}, batch=4, workers=0, plots=False, amp=False, device='cpu',
    project=r'{tmp_path}', name='tune')
print('TRIALS', len(grid), 'FAILED', grid.num_errors, flush=True)
ray.shutdown()
"""
    done = active.run("python", "-c", code, cwd=tmp_path, check=False, timeout=1500)
    assert "TRIALS 2 FAILED 0" in done.stdout, (done.stdout + done.stderr)[-3000:]
    assert "yolo_plugins.GhostConv" in done.stdout + done.stderr, "the workers have built our model"
