"""What the tests share: a patched Ultralytics, and an environment of its own for whatever starts new interpreters."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

# Before torch and Ultralytics are imported: no threads fighting for few cores, no settings of the user's, no network.
SETTINGS = Path(tempfile.mkdtemp(prefix="yolo-plugins-tests-"))
OFFLINE = {
    "OMP_NUM_THREADS": "1",
    "YOLO_CONFIG_DIR": str(SETTINGS),
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
}
os.environ.update(OFFLINE, YOLO_PLUGINS="0")  # tests patch what they need, also where the pack is activated

import numpy as np
import pytest
import torch
from yolo_plugins.installed import installed_version

import patch_ultralytics

torch.set_num_threads(1)


def pytest_sessionfinish() -> None:
    shutil.rmtree(SETTINGS, ignore_errors=True)


@pytest.fixture(autouse=True)
def unpatched() -> Iterator[None]:
    """Whatever a test applies to Ultralytics is taken back after it."""
    yield
    patch_ultralytics.revert()


@pytest.fixture
def patched() -> None:
    """The patch is active for this test."""
    patch_ultralytics.apply()


def mostly_slow(values: Iterable[Any], quick: Collection[Any]) -> list[Any]:
    """Parameters of which all but the `quick` ones are left to the slow tests."""
    values, quick = list(values), list(quick)
    assert any(value in values for value in quick), "an older release has no YAML of some quick ones, but of most"
    slow = pytest.mark.slow
    cells = [value if isinstance(value, tuple) else (value,) for value in values]
    return [
        pytest.param(*cell, marks=() if value in quick else slow) for value, cell in zip(values, cells, strict=True)
    ]


LACKS = r"neither a file nor a model|which Ultralytics \S+ has not|has no such|no module of this|SPPF.__init__"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    """Skip what ends in the pack's sentence that an Ultralytics older than the newest tested one lacks something."""
    report = (yield).get_result()
    installed, newest = (
        tuple(map(int, re.findall(r"\d+", text)[:2]))
        for text in (installed_version("ultralytics") or "", patch_ultralytics.TESTED[1])
    )
    older = installed < newest
    if older and report.failed and call.excinfo and re.search(LACKS, str(call.excinfo.value)):
        report.outcome, report.longrepr = "skipped", (str(item.path), 0, f"Skipped: {call.excinfo.value}")


listed = pytest.mark.skipif(
    not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"),
    reason="torch before 2.6 does not list what a checkpoint holds",
)


def export_onnx(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], file: Any) -> None:
    """By tracing, which torch before 2.5 does without being told."""
    tracer = {"dynamo": False} if "dynamo" in signature(torch.onnx.export).parameters else {}
    torch.onnx.export(module, inputs, file, **tracer)


COMMANDS = {"yolo": "ultralytics.cfg import entrypoint", "yolo-plugins": "yolo_plugins.cli import main"}


@dataclass(frozen=True)
class Environment:
    """A virtual environment with start-up files of its own that sees the packages of the one running the tests."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        return next((self.folder / "lib").glob("python*/site-packages"))

    def run(
        self, *command: str | Path, cwd: Path, check: bool = True, timeout: int = 300, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `yolo …`, `yolo-plugins …` or `python …` of this environment in a process of its own."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "YOLO_PLUGINS"))}
        done = subprocess.run(
            [self.folder / "bin" / command[0], *command[1:]],
            cwd=cwd,
            env={**clean, **OFFLINE, "PATH": path, "HOME": str(cwd / "home"), **variables},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check:
            assert done.returncode == 0, f"{command} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done


def make_environment(folder: Path, system_packages: bool = False) -> Environment:
    venv.create(folder, symlinks=True, system_site_packages=system_packages)
    environment = Environment(folder)
    parent = Path(sysconfig.get_path("purelib"))
    grandparent = parent / "0.pth"  # of an environment that was made here itself
    more = grandparent.read_text() if grandparent.exists() else ""
    (environment.site_packages / "0.pth").write_text(f"{parent}\n{more}")  # start-up files are read in order of name
    for path in parent.glob("*.pth"):
        if path.name not in ("0.pth", "yolo_plugins.pth"):  # the latter is what `activate` wrote there
            shutil.copy(path, environment.site_packages)
    for name, entry in COMMANDS.items():
        script = folder / "bin" / name
        script.write_text(f"#!{environment.python}\nimport sys\nfrom {entry} as run\nsys.exit(run())\n")
        script.chmod(0o755)
    return environment


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A fresh environment in which nothing is activated."""
    return make_environment(tmp_path / "venv")


@pytest.fixture(scope="session")
def active(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment in which `yolo-plugins activate` was run."""
    environment = make_environment(tmp_path_factory.mktemp("active") / "venv")
    environment.run("yolo-plugins", "activate", cwd=environment.folder.parent)
    return environment


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A handful of images with boxes and polygons; the dataset's YAML."""
    from yolo_plugins.demo.dataset import write

    return write(tmp_path_factory.mktemp("data") / "shapes", train=8, val=4, size=64)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight images in a folder for each of two classes, dark and bright noise."""
    import cv2

    root = tmp_path_factory.mktemp("folders")
    generator = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 2)):
        for name, level in (("dark", 60), ("bright", 190)):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                image = generator.normal(level, 30, (64, 64, 3)).clip(0, 255).astype(np.uint8)
                cv2.imwrite(str(folder / f"{i}.png"), image)
    return root


assert sys.prefix != sys.base_prefix or os.environ.get("CI"), "run the tests in a virtual environment"
