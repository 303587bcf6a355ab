"""The whole networks are the published ones: equal with the published weights, and refused where they cannot be."""

from typing import Any

import network_agreement
import pytest
import torch
import yolo_plugins as yp
from network_agreement import difference
from published import NETWORKS
from torch import nn
from yolo_plugins.blocks.counting import multiply_adds, parameters


def published(package: str, name: str) -> nn.Module:
    pytest.importorskip(package.split(".")[0])
    model = network_agreement.published(package, name)
    assert model is not None
    return model


def norms(network: nn.Module) -> list[tuple[float, float | None]]:
    return [(m.eps, m.momentum) for m in network.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.parametrize(
    ("build", "options", "package", "name"),
    [pytest.param(*network, id=network[-1]) for network in network_agreement.NETWORKS],
)
def test_a_network_is_the_published_one_with_its_weights(build: Any, options: Any, package: str, name: str) -> None:
    ours, theirs = build(*options), published(package, name)
    assert difference(ours, theirs) <= 1e-5
    assert parameters(ours) == parameters(theirs)
    image = torch.zeros(1, 3, 224, 224, device="meta")
    assert multiply_adds(ours.to("meta"), image) == multiply_adds(theirs.to("meta"), image)


def test_a_network_that_differs_is_told_from_the_published_one() -> None:
    network, theirs = yp.mobilenet_v3("small"), published("torchvision.models", "mobilenet_v3_small")
    next(m for m in network.modules() if isinstance(m, nn.BatchNorm2d)).eps = 0.1
    assert difference(network, theirs) > 1e-3


@pytest.mark.parametrize(("variant", "width"), [("large", 1.0), ("small", 1.0), ("large", 0.75)])
def test_mobilenetv3_of_any_width_trains_as_torchvisions(variant: str, width: float) -> None:
    models = pytest.importorskip("torchvision").models
    ours, theirs = yp.mobilenet_v3(variant, width), getattr(models, f"mobilenet_v3_{variant}")(width_mult=width)
    assert norms(ours) == norms(theirs)
    assert difference(ours, theirs) <= 1e-5


@pytest.mark.parametrize(
    ("build", "options", "millions"),
    [
        *((yp.ghostnet, (width,), paper) for width, paper in ((0.5, 42), (1.0, 141), (1.3, 226))),
        *((yp.mobilenet_v3, (variant,), paper) for variant, paper in (("large", 219), ("small", 56))),
        *((yp.shufflenet_v1, (g,), paper) for g, paper in ((1, 143), (2, 140), (3, 137), (4, 133), (8, 137))),
    ],
)
def test_the_multiply_adds_are_near_the_papers(build: Any, options: tuple[Any, ...], millions: int) -> None:
    macs = yp.cost(build(*options).to("meta"), (3, 224, 224), runs=0).macs
    assert macs / 1e6 == pytest.approx(millions, rel=0.015)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(64, 64), (75, 101)], ids=str)
def test_features_are_the_maps_of_the_classifier_at_strides_8_16_and_32(name: str, size: tuple[int, int]) -> None:
    classifier = NETWORKS[name](num_classes=5).eval()
    features = NETWORKS[name](features_only=True).eval()
    features.load_state_dict({k: v for k, v in classifier.state_dict().items() if k in features.state_dict()})
    x = torch.randn(1, 3, *size)
    maps = features(x)
    assert features.strides == (8, 16, 32)
    assert [tuple(m.shape[1:]) for m in maps] == [
        (c, -(-size[0] // s), -(-size[1] // s)) for c, s in zip(features.channels, features.strides, strict=True)
    ]
    torch.testing.assert_close(classifier.model[9:](maps[-1]), classifier(x))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_takes_other_channels_and_classes(name: str) -> None:
    network = NETWORKS[name](num_classes=7, in_channels=1)
    network(torch.randn(2, 1, 64, 64)).sum().backward()
    assert network(torch.randn(2, 1, 64, 64)).shape == (2, 7)
    assert all(p.grad is not None for p in network.parameters())


REFUSED = [
    (lambda: yp.shufflenet_v1(5), "groups=5 is not supported.*1, 2, 3, 4, 8"),
    (lambda: yp.shufflenet_v1(2, 0.5), "0.5× with 2 groups.*c2/4=25.*2 groups"),
    (lambda: yp.shufflenet_v1(8, 0.5), "0.5× with 8 groups.*c2-c1=180.*8"),
    (lambda: yp.shufflenet_v1(4, 0.25), "0.25× with 4 groups.*17.*4 groups"),
    (lambda: yp.shufflenet_v1(1, 0.04), "width=0.04.*zero channels of the 24"),
    (lambda: yp.ghostnet(0.06), "width=0.06.*zero channels.*0.0625"),
    (lambda: yp.ghostnet(-1), "width=-1 must be above 0"),
    (lambda: yp.ghostnet(float("nan")), "width=nan"),
    (lambda: yp.mobilenet_v3("medium"), "'medium' is not one of large, small"),
    (lambda: yp.mobilenet_v3(features_only=True, num_classes=10), "features_only=True.*num_classes=10"),
    (lambda: yp.ghostnet(num_classes=0), "num_classes=0"),
    (lambda: yp.ghostnet(in_channels=0), "in_channels=0"),
    (lambda: yp.ghostnet()(torch.zeros(1, 4, 64, 64)), r"3 input channels, got 4 in a batch of shape \(1, 4, 64, 64\)"),
    (lambda: yp.GhostNetStage(32, 3), "stage 3.*takes 24 channels.*c1=32"),
    (lambda: yp.GhostNetStage(3, 10), "stage=10 is not one of 0 to 9"),
    (
        lambda: yp.convert_weights(yp.ghostnet(0.5).state_dict(), yp.ghostnet()),
        r"model.0.0.conv.weight \(8, 3, 3, 3\) stands where .* \(16, 3, 3, 3\)",
    ),
    (lambda: yp.convert_weights({}, yp.ghostnet()), "0 tensors for the"),
]


@pytest.mark.parametrize(("build", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_cannot_be_built_is_refused_with_the_numbers(build: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("groups", [2, 4, 8])
@pytest.mark.parametrize("width", [0.5, 0.25])
def test_widths_with_broken_groups_cannot_be_built_by_the_reference_either(groups: int, width: float) -> None:
    """Their parameter counts circulate, but come from the formula: the channels do not divide into the groups."""
    with pytest.raises(ValueError, match="divisible by groups"):
        pytest.importorskip("pytorchcv.models.shufflenet").get_shufflenet(groups, width)
