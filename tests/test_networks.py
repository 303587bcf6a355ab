"""The whole networks are the published ones: counts to the digit, outputs equal with the published weights."""

from __future__ import annotations

import pytest
import torch
import yolo_plugins
from published import from_pytorchcv, from_timm, from_torchvision, parameters, trained
from torch import Tensor, nn

SIZES = [(64, 64), (97, 97), (61, 90)]


REFERENCES = {
    "ghostnet-0.5": (lambda: yolo_plugins.ghostnet(0.5), lambda: from_timm("ghostnet_050"), 2_587_292),
    "ghostnet-1.0": (lambda: yolo_plugins.ghostnet(), lambda: from_timm("ghostnet_100"), 5_182_508),
    "ghostnet-1.3": (lambda: yolo_plugins.ghostnet(1.3), lambda: from_timm("ghostnet_130"), 7_358_820),
    "mobilenetv3-large": (
        lambda: yolo_plugins.mobilenet_v3("large"),
        lambda: from_torchvision("mobilenet_v3_large"),
        5_483_032,
    ),
    "mobilenetv3-small": (
        lambda: yolo_plugins.mobilenet_v3("small"),
        lambda: from_torchvision("mobilenet_v3_small"),
        2_542_856,
    ),
    "mobilenetv3-large-0.75": (
        lambda: yolo_plugins.mobilenet_v3("large", 0.75),
        lambda: from_torchvision("mobilenet_v3_large", width_mult=0.75),
        None,
    ),
    **{
        f"shufflenetv1-g{g}-{width}": (
            lambda g=g, width=width: yolo_plugins.shufflenet_v1(g, width),
            lambda g=g, width=width: from_pytorchcv(g, width),
            count,
        )
        for g, width, count in [
            (1, 1.0, 1_531_936),
            (2, 1.0, 1_733_848),
            (3, 1.0, 1_865_728),
            (4, 1.0, 1_968_344),
            (8, 1.0, 2_434_768),
            (1, 0.5, 534_484),
            (3, 0.5, 718_324),
            (1, 0.25, 209_746),
            (3, 0.25, 305_902),
        ]
    },
}


@pytest.mark.parametrize("name", REFERENCES)
def test_a_network_gives_the_outputs_of_the_published_one_with_its_weights(name: str) -> None:
    build, reference, count = REFERENCES[name]
    ours, theirs = build().eval(), trained(reference())
    ours.load_state_dict(yolo_plugins.convert_weights(theirs.state_dict(), ours))
    assert parameters(ours) == parameters(theirs)
    assert count is None or parameters(ours) == count
    for size in SIZES:
        x = torch.randn(2, 3, *size)
        with torch.no_grad():
            expected = theirs(x)
            torch.testing.assert_close(ours(x), expected, rtol=0, atol=1e-5)
        assert expected.std() > 1e-3, "a reference without signal proves nothing"


@pytest.mark.parametrize("variant", ["large", "small"])
def test_mobilenetv3_trains_with_the_batch_norms_of_the_reference(variant: str) -> None:
    ours = yolo_plugins.mobilenet_v3(variant)
    theirs = from_torchvision(f"mobilenet_v3_{variant}")
    settings = [
        [(m.eps, m.momentum) for m in model.modules() if isinstance(m, nn.BatchNorm2d)] for model in (ours, theirs)
    ]
    assert settings[0] == settings[1]


# conv MACs at 224×224: pytorchcv's networks by the paper's table 1, to the digits that the reference gives
@pytest.mark.parametrize(
    ("groups", "millions"), [(1, 142.503), (2, 140.037), (3, 136.501), (4, 133.252), (8, 136.830)], ids="g={}".format
)
def test_shufflenet_has_the_papers_multiply_adds(groups: int, millions: float) -> None:
    network = yolo_plugins.shufflenet_v1(groups)
    assert round(convolution_macs(network, classifier=False) / 1e6, 3) == millions


@pytest.mark.parametrize(
    ("name", "paper"),
    [
        ("ghostnet-0.5", 42),
        ("ghostnet-1.0", 141),
        ("ghostnet-1.3", 226),
        ("mobilenetv3-large", 219),
        ("mobilenetv3-small", 56),
    ],
)
def test_the_multiply_adds_are_the_references_and_near_the_papers(name: str, paper: int) -> None:
    build, reference, _ = REFERENCES[name]
    macs = convolution_macs(build(), classifier=True)
    assert macs == convolution_macs(reference(), classifier=True)
    assert macs / 1e6 == pytest.approx(paper, rel=0.015)


def convolution_macs(network: nn.Module, classifier: bool) -> int:
    """Multiply-adds by the formula: outputs × weights per output, counted at each layer as it runs."""
    total = 0

    def count(layer: nn.Module, inputs: object, output: Tensor) -> None:
        nonlocal total
        total += output.numel() * layer.weight.numel() // layer.weight.shape[0]

    kinds = (nn.Conv2d, nn.Linear) if classifier else (nn.Conv2d,)
    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, kinds)]
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, 224, 224))
    for hook in hooks:
        hook.remove()
    return total


NETWORKS = {
    "ghostnet": yolo_plugins.ghostnet,
    "shufflenet_v1": yolo_plugins.shufflenet_v1,
    "mobilenet_v3": yolo_plugins.mobilenet_v3,
}


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
    logits = classifier.model[9:](maps[-1])
    torch.testing.assert_close(logits, classifier(x))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_takes_other_channels_and_classes(name: str) -> None:
    network = NETWORKS[name](num_classes=7, in_channels=1)
    network(torch.randn(2, 1, 64, 64)).sum().backward()
    assert network(torch.randn(2, 1, 64, 64)).shape == (2, 7)
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        pytest.param(
            lambda: yolo_plugins.shufflenet_v1(5), "groups=5 is not supported.*1, 2, 3, 4, 8", id="five groups"
        ),
        pytest.param(lambda: yolo_plugins.shufflenet_v1(2, 0.5), "0.5× with 2 groups.*c2/4=25.*2 groups", id="mid"),
        pytest.param(lambda: yolo_plugins.shufflenet_v1(8, 0.5), "0.5× with 8 groups.*c2-c1=180.*8", id="branch"),
        pytest.param(lambda: yolo_plugins.shufflenet_v1(4, 0.25), "0.25× with 4 groups.*17.*4 groups", id="quarter"),
        pytest.param(lambda: yolo_plugins.shufflenet_v1(1, 0.04), "width=0.04.*zero channels of the 24", id="no stem"),
        pytest.param(lambda: yolo_plugins.ghostnet(0.06), "width=0.06.*zero channels.*0.0625", id="ghostnet narrow"),
        pytest.param(lambda: yolo_plugins.ghostnet(-1), "width=-1 must be a number above 0", id="negative"),
        pytest.param(lambda: yolo_plugins.ghostnet(float("nan")), "width=nan", id="nan"),
        pytest.param(lambda: yolo_plugins.mobilenet_v3("medium"), "'medium' is not one of large, small", id="variant"),
        pytest.param(
            lambda: yolo_plugins.mobilenet_v3(features_only=True, num_classes=10),
            "features_only=True.*num_classes=10",
            id="features with classes",
        ),
        pytest.param(lambda: yolo_plugins.ghostnet(num_classes=0), "num_classes=0", id="no classes"),
        pytest.param(lambda: yolo_plugins.ghostnet(in_channels=0), "in_channels=0", id="no channels"),
        pytest.param(
            lambda: yolo_plugins.ghostnet()(torch.zeros(1, 4, 64, 64)),
            r"3 input channels, got 4 in a batch of shape \(1, 4, 64, 64\)",
            id="wrong image",
        ),
        pytest.param(lambda: yolo_plugins.GhostNetStage(32, 3), "stage 3.*takes 24 channels.*c1=32", id="wrong stage"),
        pytest.param(lambda: yolo_plugins.GhostNetStage(3, 10), "stage=10 is not one of 0 to 9", id="no stage"),
        pytest.param(
            lambda: yolo_plugins.convert_weights(yolo_plugins.ghostnet(0.5).state_dict(), yolo_plugins.ghostnet()),
            r"model.0.0.conv.weight \(8, 3, 3, 3\) stands where .* \(16, 3, 3, 3\)",
            id="weights of another width",
        ),
        pytest.param(
            lambda: yolo_plugins.convert_weights({}, yolo_plugins.ghostnet()), "0 tensors for the", id="no weights"
        ),
    ],
)
def test_what_cannot_be_built_is_refused_with_the_numbers(build: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(("groups", "width"), [(2, 0.5), (4, 0.5), (8, 0.5), (2, 0.25), (4, 0.25), (8, 0.25)])
def test_widths_with_broken_groups_cannot_be_built_by_the_reference_either(groups: int, width: float) -> None:
    """Their parameter counts circulate, but come from the formula: the channels do not divide into the groups."""
    with pytest.raises(ValueError, match="divisible by groups"):
        from_pytorchcv(groups, width)


@pytest.mark.parametrize("act", ["relu", "hardswish"])
@pytest.mark.parametrize(("c1", "mid", "c2", "k", "s", "se"), [(16, 64, 24, 3, 2, 0), (40, 120, 40, 5, 1, 0.25)])
def test_an_inverted_residual_is_torchvisions(c1: int, mid: int, c2: int, k: int, s: int, se: float, act: str) -> None:
    v3 = pytest.importorskip("torchvision").models.mobilenetv3
    config = v3.InvertedResidualConfig(c1, k, mid, c2, se > 0, "HS" if act == "hardswish" else "RE", s, 1, 1.0)
    theirs = v3.InvertedResidual(config, nn.BatchNorm2d)
    ours = yolo_plugins.InvertedResidual(c1, c2, s, k=k, se=se, act=act, mid=mid)
    ours.load_state_dict(yolo_plugins.convert_weights(theirs.state_dict(), ours))
    x = torch.randn(2, c1, 13, 18)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=0, atol=1e-5)


def test_the_gate_is_torchvisions_with_a_hard_sigmoid() -> None:
    theirs = pytest.importorskip("torchvision").ops.SqueezeExcitation(72, 24, scale_activation=nn.Hardsigmoid)
    ours = yolo_plugins.SqueezeExcite(72)
    ours.load_state_dict(yolo_plugins.convert_weights(theirs.state_dict(), ours))
    x = torch.randn(2, 72, 9, 7)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-5)
