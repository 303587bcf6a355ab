"""The model YAMLs made of whole networks: tensors and features of the torch networks."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
import yolo_plugins
from published import NETWORKS, trained
from yolo_plugins.blocks.counting import parameters
from yolo_plugins.inspection.info import describe
from yolo_plugins.model_yamls import FOLDER
from yolo_plugins.models.building import build, from_text
from yolo_plugins.networks import imagenet

pytestmark = pytest.mark.usefixtures("patched")
CLASSIFIERS = {**NETWORKS, "mobilenetv3-small": lambda: yolo_plugins.mobilenet_v3("small")}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_yaml_is_the_torch_network(name: str) -> None:
    network, model = trained(CLASSIFIERS[name]()), build(f"{name}-cls.yaml").eval()
    model.load_state_dict(network.state_dict())
    x = torch.rand(1, 3, 75, 96)
    with torch.no_grad():
        probabilities, logits = model(x)
        torch.testing.assert_close(logits, network(x), rtol=0, atol=1e-5)
    torch.testing.assert_close(probabilities, logits.softmax(1))


@pytest.mark.parametrize("task", ["", "-seg"], ids=["detect", "segment"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_detectors_backbone_gives_the_features_of_the_torch_network(
    name: str, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = trained(NETWORKS[name]())
    monkeypatch.setattr(imagenet, "fetch", lambda package, model: network.state_dict())
    monkeypatch.setattr(imagenet, "absorb_normalisation", lambda conv, bn: None)
    features = NETWORKS[name](features_only=True).double().eval()
    features.load_state_dict(network.state_dict(), strict=False)
    model = build(f"yolov8n-{name}{task}.yaml").eval()
    imagenet.load_imagenet(model)
    model.double()  # so that what differs is not rounding
    x = y = torch.rand(1, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        expected = features(x)
        maps = [y := row(y) for row in model.model[:9]]
    for i, map_ in zip((4, 6, 8), expected, strict=True):
        # relative to the map's largest value, since converted weights are rounded to float32
        assert (maps[i] - map_).abs().max() < 1e-5 * map_.abs().max()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_trained_classifier_fits_into_the_detector_by_name(name: str) -> None:
    classifier, detector = trained(build(f"{name}-cls.yaml")), build(f"yolov8n-{name}.yaml")
    detector.load(classifier, verbose=False)
    ours, theirs = detector.model[:9].state_dict(), classifier.model[:9].state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(tensor, theirs[key]) for key, tensor in ours.items())


@pytest.mark.parametrize("name", NETWORKS)
def test_the_scale_letter_changes_neck_and_head_but_not_the_network(name: str) -> None:
    small, large = (build(f"yolov8{scale}-{name}.yaml").model for scale in "nl")
    assert parameters(small[:9]) == parameters(large[:9]) == parameters(NETWORKS[name](features_only=True))
    assert parameters(large[9:]) > 4 * parameters(small[9:])


@pytest.mark.parametrize(
    ("file", "value", "other", "params"),
    [
        ("shufflenetv1-cls.yaml", "groups: &groups 3", "groups: &groups 1", 1_531_936),
        ("shufflenetv1-cls.yaml", "groups: &groups 3", "groups: &groups 8", 2_434_768),
        ("ghostnet-cls.yaml", "width: &width 1.0", "width: &width 1.3", 7_358_820),
        ("mobilenetv3-cls.yaml", "variant: &variant large", "variant: &variant small", 2_542_856),
    ],
)
def test_one_edited_value_makes_the_other_networks_of_the_paper(file: str, value: str, other: str, params: int) -> None:
    text = (FOLDER / file).read_text(encoding="utf-8")
    assert value in text
    with from_text(text.replace(value, other), "mine.yaml") as yolo:  # a classifier, whatever its name
        assert yolo.task == "classify"
        assert parameters(yolo.model) == params


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_figures_in_a_classifier_yaml_are_those_of_info(name: str) -> None:
    rows = describe(f"{name}-cls.yaml", imgsz=224).rows
    params, gflops = sum(row.params for row in rows), sum(row.gflops for row in rows)
    assert f"# {params:,} parameters, {gflops:.2f} GFLOPs" in (FOLDER / f"{name}-cls.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([-1, 2, "plugins.GhostNetStage", [0]], "row 0 .*cannot be repeated 2 times"),
        ([-1, 1, "plugins.GhostNetStage", [3]], "row 0 .*takes 24 channels and gives 40, got c1=3"),
        ([-1, 1, "plugins.GhostNetStage", []], r"row 0 .*takes \[stage, width=1.0\]"),
        ([-1, 1, "plugins.GhostNetStage", [0, "wide"]], "row 0 .*width='wide'"),
        ([-1, 1, "plugins.ShuffleNetV1Stage", [0, 5]], "row 0 .*groups=5 is not supported"),
        ([-1, 1, "plugins.ClassifyHead", [0]], "row 0 .*nc=0"),
    ],
)
def test_a_wrong_row_is_named_with_its_reason(row: list[Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"nc": 10, "backbone": [row], "head": [[-1, 1, "plugins.ClassifyHead", ["nc"]]]}))
    with pytest.raises(ValueError, match=message):
        build(str(file))
