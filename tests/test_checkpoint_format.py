"""Checkpoints are a format: they hold public names, and what every release has written loads and gives what it gave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yolo_plugins as yp
from cases import CASES
from checkpoint_fixtures import FOLDER
from conftest import Environment
from torch import nn
from yolo_plugins.blocks.registry import PUBLIC

import patch_ultralytics

pytest.importorskip("ultralytics")
RELEASED = sorted(FOLDER.glob("*.pt"))

LOAD = """
import sys, torch
sys.path.insert(0, sys.argv[3])
from checkpoint_fixtures import image
from ultralytics import YOLO
yolo = YOLO(sys.argv[1])
with torch.no_grad():
    output = yolo.model.float().eval()(image())[0]
    output = output[0] if isinstance(output, tuple) else output
torch.testing.assert_close(output, torch.load(sys.argv[2]), rtol=1e-3, atol=1e-3)
print(yolo.task, "as ever")
"""


def held(value: object, file: Path) -> set[str]:
    """The names of ours that a file holds."""
    torch.save(value, file)
    return {name for name in torch.serialization.get_unsafe_globals_in_checkpoint(file) if "yolo_plugins" in name}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_saved_block_holds_public_names_only(case: Any, tmp_path: Path) -> None:
    names = held(case(), tmp_path / "block.pt")
    assert f"yolo_plugins.{case.build.__name__}" in names
    assert names <= {f"yolo_plugins.{name}" for name in PUBLIC}


@pytest.mark.parametrize("build", [yp.ghostnet, yp.mobilenet_v3, yp.shufflenet_v1], ids=lambda build: build.__name__)
def test_a_saved_network_holds_public_names_only(build: Any, tmp_path: Path) -> None:
    assert held(build(), tmp_path / "network.pt") <= {f"yolo_plugins.{name}" for name in PUBLIC}


@pytest.mark.parametrize("file", RELEASED, ids=lambda file: file.stem)
def test_every_name_that_a_released_checkpoint_holds_is_public_still(file: Path) -> None:
    names = torch.serialization.get_unsafe_globals_in_checkpoint(file)
    ours = {name.partition(".")[2] for name in names if name.startswith("yolo_plugins")}
    assert ours
    for name in ours:
        assert issubclass(getattr(yp, name), nn.Module)


@pytest.mark.parametrize("variables", [{}, {"ULTRALYTICS_SAFE_LOAD": "1"}], ids=["plainly", "restricted"])
@pytest.mark.parametrize("file", RELEASED, ids=lambda file: file.stem)
def test_a_released_checkpoint_loads_and_gives_what_it_gave(
    file: Path, variables: dict[str, str], active: Environment, tmp_path: Path
) -> None:
    assert file.stat().st_size < 300_000
    arguments = (file, file.with_suffix(".output"), file.parents[1])
    done = active.run("python", "-c", LOAD, *arguments, cwd=tmp_path, **variables)
    assert done.stdout.strip().endswith("as ever")


@pytest.mark.parametrize("restricted", [False, True], ids=["plainly", "restricted"])
def test_a_checkpoint_of_a_newer_version_says_what_to_do(
    restricted: bool, tmp_path: Path, patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.nn import tasks

    newer = type("GhostTransformer", (nn.Module,), {"__module__": "yolo_plugins"})
    with monkeypatch.context() as context:
        context.setattr(yp, "GhostTransformer", newer, raising=False)
        torch.save({"model": newer()}, tmp_path / "best.pt")
    installed: list[str] = []
    monkeypatch.setattr(tasks, "check_requirements", installed.append)
    message = rf"^{tmp_path / 'best.pt'}: yolo-plugins {yp.__version__} has no GhostTransformer; .*pip install -U"
    with pytest.raises(patch_ultralytics.PatchError, match=message) as caught:
        tasks.torch_safe_load(tmp_path / "best.pt", safe_only=restricted)
    assert "\n" not in str(caught.value)
    assert not installed, "a class in a checkpoint is not a package to install"


def test_it_is_said_where_the_pack_is_not_active_as_well(tmp_path: Path, environment: Environment) -> None:
    newer = "type('GhostTransformer', (torch.nn.Module,), {'__module__': 'yolo_plugins'})"
    code = f"import torch, yolo_plugins; yolo_plugins.GhostTransformer = cls = {newer}; torch.save({{'model': cls()}}, 'best.pt')"
    environment.run("python", "-c", code, cwd=tmp_path)
    done = environment.run("yolo", "val", "model=best.pt", "data=coco8.yaml", cwd=tmp_path, check=False)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "has no GhostTransformer" in last
    assert "pip install -U yolo-plugins" in last
