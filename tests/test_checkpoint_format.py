"""Checkpoints are a format: they hold public names, and what every release has written loads and gives what it gave."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yolo_plugins as yp
from cases import CASES
from checkpoint_fixtures import FOLDER
from conftest import Environment, listed
from torch import nn
from yolo_plugins.blocks.registry import PUBLIC

import patch_ultralytics

pytest.importorskip("ultralytics")
RELEASED = sorted(FOLDER.glob("*.pt"))

LOAD = """
import sys, torch
sys.path.insert(0, sys.argv[1])
from checkpoint_fixtures import image
from ultralytics import YOLO
for file in sys.argv[2:]:
    yolo = YOLO(file)
    with torch.no_grad():
        output = yolo.model.float().eval()(image())[0]
    output = output[0] if isinstance(output, tuple) else output
    expected = torch.load(file.removesuffix(".pt") + ".output")
    torch.testing.assert_close(output, expected, rtol=1e-3, atol=1e-3, msg=lambda said: f"{file}: {said}")
    print(yolo.task)
"""


def held(value: object, file: Path) -> set[str]:
    """The names of ours that a file holds."""
    torch.save(value, file)
    return {name for name in torch.serialization.get_unsafe_globals_in_checkpoint(file) if "yolo_plugins" in name}


@listed
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_saved_block_holds_public_names_only(case: Any, tmp_path: Path) -> None:
    names = held(case(), tmp_path / "block.pt")
    assert f"yolo_plugins.{case.build.__name__}" in names
    assert names <= {f"yolo_plugins.{name}" for name in PUBLIC}


@listed
@pytest.mark.parametrize("build", [yp.ghostnet, yp.mobilenet_v3, yp.shufflenet_v1], ids=lambda build: build.__name__)
def test_a_saved_network_holds_public_names_only(build: Any, tmp_path: Path) -> None:
    assert held(build(), tmp_path / "network.pt") <= {f"yolo_plugins.{name}" for name in PUBLIC}


@pytest.mark.parametrize("variables", [{}, {"ULTRALYTICS_SAFE_LOAD": "1"}], ids=["plainly", "restricted"])
def test_released_checkpoints_load_and_give_what_they_gave(
    variables: dict[str, str], active: Environment, tmp_path: Path
) -> None:
    assert all(file.stat().st_size < 300_000 for file in RELEASED)
    done = active.run("python", "-c", LOAD, Path(__file__).parent, *RELEASED, cwd=tmp_path, **variables)
    assert done.stdout.split() == [file.stem.rpartition("-")[2] for file in RELEASED]


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
    code = """
import torch, yolo_plugins
class GhostTransformer(torch.nn.Module): __module__ = "yolo_plugins"
yolo_plugins.GhostTransformer = GhostTransformer
torch.save({"model": GhostTransformer()}, "best.pt")
"""
    environment.run("python", "-c", code, cwd=tmp_path)
    done = environment.run("yolo", "val", "model=best.pt", "data=coco8.yaml", cwd=tmp_path, check=False)
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()[-1]
    assert "has no GhostTransformer" in last
    assert "pip install -U yolo-plugins" in last
