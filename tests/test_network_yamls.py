"""The model YAMLs made of whole networks: tensors and features of the torch networks, rows like the stock ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
import yolo_plugins
from published import parameters, trained
from torch import nn
from yolo_plugins.model_yamls import FOLDER
from yolo_plugins.networks import imagenet

import patch_ultralytics

pytestmark = pytest.mark.usefixtures("patched")
NETWORKS = {
    "ghostnet": yolo_plugins.ghostnet,
    "shufflenetv1": yolo_plugins.shufflenet_v1,
    "mobilenetv3": yolo_plugins.mobilenet_v3,
    "mobilenetv3-small": lambda **options: yolo_plugins.mobilenet_v3("small", **options),
}
BACKBONES = ["ghostnet", "shufflenetv1", "mobilenetv3"]


def built(model: str | dict[str, Any], **options: Any) -> nn.Module:
    from ultralytics.nn import tasks

    cfg = tasks.yaml_model_load(model) if isinstance(model, str) else model
    kind = {"classify": tasks.ClassificationModel, "segment": tasks.SegmentationModel, "detect": tasks.DetectionModel}
    return kind[tasks.guess_model_task(cfg)](cfg, verbose=False, **options).eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_classifier_yaml_is_the_torch_network(name: str) -> None:
    network = trained(NETWORKS[name]())
    model = built(f"{name}-cls.yaml")
    model.load_state_dict(network.state_dict())
    x = torch.rand(1, 3, 75, 96)
    with torch.no_grad():
        probabilities, logits = model(x)
        torch.testing.assert_close(logits, network(x), rtol=0, atol=1e-5)
    torch.testing.assert_close(probabilities, logits.softmax(1))


@pytest.mark.parametrize("task", ["", "-seg"], ids=["detect", "segment"])
@pytest.mark.parametrize("name", BACKBONES)
def test_a_detectors_backbone_gives_the_features_of_the_torch_network(
    name: str, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = trained(NETWORKS[name]())
    monkeypatch.setattr(imagenet, "fetch", lambda package, model: network.state_dict())
    monkeypatch.setattr(imagenet, "absorb_normalisation", lambda conv, bn: None)
    features = NETWORKS[name](features_only=True).double().eval()
    features.load_state_dict(network.state_dict(), strict=False)
    model = built(f"yolov8n-{name}{task}.yaml")
    imagenet.load_imagenet(model)
    model.double()  # so that what differs is not rounding
    x = y = torch.rand(1, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        expected = features(x)
        maps = [y := row(y) for row in model.model[:9]]
    for i, map_ in zip((4, 6, 8), expected, strict=True):
        # relative to the map's largest value, since converted weights are rounded to float32
        assert (maps[i] - map_).abs().max() < 1e-5 * map_.abs().max()


@pytest.mark.parametrize("name", BACKBONES)
def test_a_trained_classifier_fits_into_the_detector_by_name(name: str) -> None:
    classifier, detector = trained(built(f"{name}-cls.yaml")), built(f"yolov8n-{name}.yaml")
    detector.load(classifier, verbose=False)
    ours, theirs = detector.model[:9].state_dict(), classifier.model[:9].state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(tensor, theirs[key]) for key, tensor in ours.items())


@pytest.mark.parametrize("task", ["", "-seg"], ids=["detect", "segment"])
@pytest.mark.parametrize("name", BACKBONES)
def test_rows_keep_the_number_the_from_and_the_stride_of_the_stock_model(name: str, task: str) -> None:
    ours, stock = built(f"yolov8n-{name}{task}.yaml"), built(f"yolov8n{task}.yaml")
    sizes: list[list[Any]] = []
    for model in (ours, stock):
        seen: list[Any] = []
        hooks = [
            row.register_forward_hook(lambda row, _, y, seen=seen: seen.append((row.i, row.f, tuple(y.shape[2:]))))
            for row in model.model[:-1]
        ]
        model(torch.zeros(1, 3, 64, 64))
        for hook in hooks:
            hook.remove()
        sizes.append(seen)
    assert sizes[0] == sizes[1]
    assert ours.stride.tolist() == stock.stride.tolist()


@pytest.mark.parametrize("name", BACKBONES)
def test_the_scale_letter_changes_neck_and_head_but_not_the_network(name: str) -> None:
    small, large = (built(f"yolov8{scale}-{name}.yaml") for scale in "nl")
    assert parameters(small.model[:9]) == parameters(large.model[:9]) == parameters(NETWORKS[name](features_only=True))
    assert parameters(large.model[9:]) > 4 * parameters(small.model[9:])


@pytest.mark.parametrize(
    ("file", "edit", "params"),
    [
        ("shufflenetv1-cls.yaml", ("groups: &groups 3", "groups: &groups 1"), 1_531_936),
        ("shufflenetv1-cls.yaml", ("groups: &groups 3", "groups: &groups 2"), 1_733_848),
        ("shufflenetv1-cls.yaml", ("groups: &groups 3", "groups: &groups 4"), 1_968_344),
        ("shufflenetv1-cls.yaml", ("groups: &groups 3", "groups: &groups 8"), 2_434_768),
        ("ghostnet-cls.yaml", ("width: &width 1.0", "width: &width 1.3"), 7_358_820),
        ("mobilenetv3-cls.yaml", ("variant: &variant large", "variant: &variant small"), 2_542_856),
    ],
)
def test_one_edited_value_makes_the_other_networks_of_the_paper(
    file: str, edit: tuple[str, str], params: int, tmp_path: Path
) -> None:
    text = (FOLDER / file).read_text(encoding="utf-8")
    assert edit[0] in text
    path = tmp_path / file
    path.write_text(text.replace(*edit), encoding="utf-8")
    assert parameters(built(str(path))) == params


@pytest.mark.parametrize("name", NETWORKS)
def test_the_figures_in_a_classifier_yaml_are_those_of_info(name: str) -> None:
    from yolo_plugins.inspection.info import describe

    text = (FOLDER / f"{name}-cls.yaml").read_text(encoding="utf-8")
    rows = describe(f"{name}-cls.yaml", imgsz=224).rows
    params, gflops = sum(row.params for row in rows), sum(row.gflops for row in rows)
    assert f"# {params:,} parameters, {gflops:.2f} GFLOPs" in text


@pytest.mark.parametrize("task", ["", "-seg"], ids=["detect", "segment"])
@pytest.mark.parametrize("name", BACKBONES)
def test_the_figures_in_a_detector_yaml_are_those_of_info(name: str, task: str) -> None:
    from yolo_plugins.inspection.info import describe

    text = (FOLDER / f"yolov8-{name}{task}.yaml").read_text(encoding="utf-8")
    figures = re.findall(r"  ([nslmx]): \[.*\] # (.*) parameters, (.*) GFLOPs", text)
    assert [scale for scale, _, _ in figures] == list("nsmlx")
    for scale, params, gflops in figures[:2]:  # the larger ones take long and differ in nothing
        rows = describe(f"yolov8{scale}-{name}{task}.yaml", imgsz=640).rows
        assert (params, gflops) == (f"{sum(r.params for r in rows):,}", f"{sum(r.gflops for r in rows):.1f}")


def test_a_classifier_yaml_is_known_as_one_whatever_its_name(tmp_path: Path) -> None:
    from ultralytics import YOLO

    path = tmp_path / "mine.yaml"
    path.write_text((FOLDER / "ghostnet-cls.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert YOLO(str(path)).task == "classify"


def test_revert_leaves_the_guessing_of_tasks_as_it_was() -> None:
    from ultralytics.nn import tasks

    patch_ultralytics.revert()
    before, code = dict(vars(tasks)), tasks.guess_model_task.__code__
    patch_ultralytics.apply()
    assert tasks.guess_model_task.__code__ is not code
    assert tasks.guess_model_task({"head": [[-1, 1, "Detect", []]]}) == "detect"
    patch_ultralytics.revert()
    assert tasks.guess_model_task.__code__ is code
    assert dict(vars(tasks)) == before


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param([-1, 2, "plugins.GhostNetStage", [0]], "row 0 .*cannot be repeated 2 times", id="repeats"),
        pytest.param(
            [-1, 1, "plugins.GhostNetStage", [3]], "row 0 .*takes 24 channels and gives 40, got c1=3", id="order"
        ),
        pytest.param([-1, 1, "plugins.GhostNetStage", []], r"row 0 .*takes \[stage, width=1.0\]", id="nothing"),
        pytest.param([-1, 1, "plugins.GhostNetStage", [0, "wide"]], "row 0 .*width='wide'", id="type"),
        pytest.param([-1, 1, "plugins.ShuffleNetV1Stage", [0, 5]], "row 0 .*groups=5 is not supported", id="groups"),
        pytest.param([-1, 1, "plugins.ClassifyHead", [0]], "row 0 .*nc=0", id="classes"),
    ],
)
def test_a_wrong_row_is_named_with_its_reason(row: list[Any], message: str) -> None:
    model = {"nc": 10, "backbone": [row], "head": [[-1, 1, "plugins.ClassifyHead", ["nc"]]]}
    with pytest.raises(ValueError, match=message):
        built(yaml.safe_load(yaml.safe_dump(model)))
