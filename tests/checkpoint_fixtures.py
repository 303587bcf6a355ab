"""Writes the small checkpoints of this version that every later version must load, with what they give.

Usage: python tests/checkpoint_fixtures.py

A release adds its own files; those of earlier ones stay as they are, and are never written again.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import torch
import yolo_plugins
from cases import randomise

import patch_ultralytics

FOLDER = Path(__file__).parent / "data"

DETECT = {
    "nc": 2,
    "reg_max": 4,
    "backbone": [
        [-1, 1, "plugins.GhostNetStage", [0]],
        [-1, 1, "plugins.MobileNetV3Stage", [1]],
        [-1, 1, "plugins.ShuffleNetV1Stage", [1]],
        [-1, 1, "plugins.GhostConv", [8, 3, 2]],
        [-1, 1, "plugins.ConvBNAct", [8, 3, 1]],
        [-1, 1, "plugins.GroupConv", [8, 3, 1, 4]],
        [-1, 1, "plugins.DWConv", [8, 3, 1, 2]],
        [-1, 1, "plugins.GhostBottleneck", [8, 16, 3, 1, 0.25]],
        [-1, 1, "plugins.InvertedResidual", [8]],
        [-1, 1, "plugins.ShuffleUnit", [8, 1, 2]],
        [-1, 1, "plugins.SE", [4]],
        [-1, 1, "plugins.SqueezeExcite", []],
        [-1, 1, "plugins.HSwish", []],
    ],
    "head": [
        [-1, 1, "plugins.C2fGhost", [8, True]],
        [-1, 1, "plugins.C2fDW", [8, True]],
        [-1, 1, "plugins.C2fShuffle", [16, True, 2]],
        [-1, 1, "plugins.C2fSE", [8, True, 4]],
        [-1, 1, "plugins.C2f", [8, True, "DWConv(d=2)", "SqueezeExcite"]],
        [-1, 1, "plugins.C3", [8, True]],
        [-1, 1, "plugins.C3k2", [8, True, "GhostConv"]],
        [-1, 1, "plugins.RepGhostConv", [8]],
        [-1, 1, "plugins.RepGhostStage", [8]],
        [[-1], 1, "plugins.LiteDetect", ["nc"]],
    ],
}
BACKBONE = [[-1, 1, "Conv", [8, 3, 2]], [-1, 1, "plugins.GhostConv", [16, 3, 2]]]
SEGMENT = {"nc": 2, "backbone": BACKBONE, "head": [[[-1], 1, "plugins.LiteSegment", ["nc", 4, 8, 4]]]}
CLASSIFY = {"nc": 5, "backbone": BACKBONE, "head": [[-1, 1, "plugins.ClassifyHead", ["nc", 0.2]]]}


def image() -> torch.Tensor:
    """What the outputs are given for, from a formula rather than a file."""
    return torch.arange(3 * 64 * 64).view(1, 3, 64, 64).mul(0.37).sin().add(1).div(2)


def main() -> None:
    patch_ultralytics.apply()
    from ultralytics.nn.tasks import ClassificationModel, DetectionModel, SegmentationModel
    from yolo_plugins.models.building import save

    FOLDER.mkdir(exist_ok=True)
    models = (
        ("detect", DetectionModel, DETECT),
        ("segment", SegmentationModel, SEGMENT),
        ("classify", ClassificationModel, CLASSIFY),
    )
    for task, cls, rows in models:
        file = FOLDER / f"{yolo_plugins.__version__}-{task}.pt"
        if file.exists():
            raise SystemExit(f"{file} exists; checkpoints that were released are not written again")
        model = randomise(cls({**rows, "yaml_file": f"{task}.yaml"}, verbose=False)).requires_grad_(False)
        model.task = task
        save(model, file, half=True)
        output = model.half().float()(image())[0]
        output = output[0] if isinstance(output, tuple) else output
        torch.save(output, file.with_suffix(".output"))
        print(file, file.stat().st_size, "bytes", tuple(output.shape))


if __name__ == "__main__":
    main()
