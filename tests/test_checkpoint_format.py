"""Checkpoints are a format: what this and every earlier release has written loads, and gives what it gave."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch
import yolo_plugins as yp
from cases import CASES
from checkpoint_fixtures import FOLDER
from conftest import Environment
from torch import nn
from yolo_plugins.checkpoint_format import CLASS_PATHS, resolve

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
    """The classes of ours that a file holds."""
    torch.save(value, file)
    return {name for name in torch.serialization.get_unsafe_globals_in_checkpoint(file) if "yolo_plugins" in name}


def test_every_path_that_checkpoints_hold_leads_to_a_layer() -> None:
    assert list(CLASS_PATHS) == sorted(set(CLASS_PATHS))
    for path in CLASS_PATHS:
        assert issubclass(resolve(path), nn.Module), path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_saved_block_holds_listed_paths_only(case: Any, tmp_path: Path) -> None:
    paths = held(case(), tmp_path / "block.pt")
    assert paths, "a block's own class, at least"
    assert paths <= set(CLASS_PATHS), "a class that checkpoints hold must be in CLASS_PATHS, for ever"


@pytest.mark.parametrize("build", [yp.ghostnet, yp.mobilenet_v3, yp.shufflenet_v1], ids=lambda build: build.__name__)
def test_a_saved_network_holds_listed_paths_only(build: Any, tmp_path: Path) -> None:
    assert held(build(), tmp_path / "network.pt") <= set(CLASS_PATHS)


def test_every_class_of_a_row_is_listed(patched: None) -> None:
    rows = {f"{cls.__module__}.{cls.__qualname__}" for cls in yp.BLOCKS.values()}
    assert rows <= set(CLASS_PATHS)


def test_the_released_checkpoints_hold_every_class_that_rows_name() -> None:
    held = {name for file in RELEASED for name in torch.serialization.get_unsafe_globals_in_checkpoint(file)}
    patch_ultralytics.apply()  # which makes them safe
    assert {f"{cls.__module__}.{cls.__qualname__}" for cls in yp.BLOCKS.values()} <= held


@pytest.mark.parametrize("variables", [{}, {"ULTRALYTICS_SAFE_LOAD": "1"}], ids=["plainly", "restricted"])
@pytest.mark.parametrize("file", RELEASED, ids=lambda file: file.stem)
def test_a_released_checkpoint_loads_and_gives_what_it_gave(
    file: Path, variables: dict[str, str], active: Environment, tmp_path: Path
) -> None:
    assert file.stat().st_size < 300_000
    done = active.run(
        "python", "-c", LOAD, file, file.with_suffix(".output"), file.parents[1], cwd=tmp_path, **variables
    )
    assert done.stdout.strip().endswith("as ever")


def test_a_class_that_has_moved_loads_by_its_old_path_where_loading_is_restricted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = types.ModuleType("yolo_plugins.old")
    old.HSwish = yp.HSwish  # type: ignore[attr-defined]  what a moved class leaves behind
    monkeypatch.setitem(sys.modules, "yolo_plugins.old", old)
    monkeypatch.setattr("yolo_plugins.registry.CLASS_PATHS", (*CLASS_PATHS, "yolo_plugins.old.HSwish"))
    with monkeypatch.context() as context:
        context.setattr(yp.HSwish, "__module__", "yolo_plugins.old")
        torch.save(yp.HSwish(), tmp_path / "old.pt")
    patch_ultralytics.apply()
    assert isinstance(torch.load(tmp_path / "old.pt", weights_only=True), yp.HSwish)


@pytest.mark.parametrize("restricted", [False, True], ids=["plainly", "restricted"])
@pytest.mark.parametrize("path", ["yolo_plugins.ghost.GhostTransformer", "yolo_plugins.rep.RepGhost"])
def test_a_checkpoint_of_a_newer_version_says_what_to_do(
    path: str, restricted: bool, tmp_path: Path, patched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.nn import tasks

    module, _, name = path.rpartition(".")
    newer = type(name, (nn.Module,), {"__module__": module})
    with monkeypatch.context() as context:
        present = sys.modules.get(module) or types.ModuleType(module)
        context.setitem(sys.modules, module, present)
        context.setattr(present, name, newer, raising=False)
        torch.save({"model": newer()}, tmp_path / "best.pt")
    installed: list[str] = []
    monkeypatch.setattr(tasks, "check_requirements", installed.append)
    message = rf"^.*yolo-plugins {yp.__version__} has no ({path}|{module}); "
    with pytest.raises((ImportError, patch_ultralytics.PatchError), match=message) as caught:
        tasks.torch_safe_load(tmp_path / "best.pt", safe_only=restricted)
    assert "pip install -U yolo-plugins" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not installed, "a path in a checkpoint is not a package to install"
