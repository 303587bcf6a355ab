"""The light heads: Ultralytics' in every way but their branches."""

import copy
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from cases import randomise
from conftest import mostly_slow
from replacement_cases import tensors
from torch import nn
from yolo_plugins import cost, fuse
from yolo_plugins.blocks.counting import parameters
from yolo_plugins.blocks.dfl import ExpectedDistance
from yolo_plugins.comparing.agreement import disagreement, raw_differences
from yolo_plugins.comparing.runtimes import LOADERS, import_mnn, ordered
from yolo_plugins.models.building import build
from yolo_plugins.training.norm_statistics import measured_norms

pytestmark = pytest.mark.usefixtures("patched")
MAPS = [(64, 8), (128, 4), (256, 2)]
CLOSE = 1e-4


def maps() -> list[torch.Tensor]:
    return [torch.randn(2, c, size, size) for c, size in MAPS]


TWO = {"reg_max": 1, "end2end": True}
HEADS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "detect": ("LiteDetect", "Detect", {}, {}),
    "segment": ("LiteSegment", "Segment", {"nm": 32, "npr": 64}, {}),
    "obb": ("LiteOBB", "OBB", {"ne": 1}, {}),
    "pose": ("LitePose", "Pose", {"kpt_shape": (4, 3)}, {}),
    "detect, end to end": ("LiteDetect", "Detect", {}, TWO),
    "YOLOv10": ("LiteV10Detect", "v10Detect", {}, {}),
    "YOLO26 segment": ("LiteSegment26", "Segment26", {"nm": 32, "npr": 64}, TWO),
    "YOLO26 obb": ("LiteOBB26", "OBB26", {"ne": 1}, TWO),
    "YOLO26 pose": ("LitePose26", "Pose26", {"kpt_shape": (4, 3)}, TWO),
}
"""Light head and the stock one that it stands for, what both are given, and what makes them end to end."""

each_head = pytest.mark.parametrize("which", HEADS)


def heads(which: str, nc: int = 5, **options: Any) -> list[Any]:
    """A light head and the stock one that it stands in for."""
    import yolo_plugins
    from ultralytics.nn.modules import head as stock_heads

    light, stock, own, two = HEADS[which]
    channels = [c for c, _ in MAPS]
    torch.manual_seed(0)
    pair = [
        getattr(yolo_plugins, light)(channels, nc, **own, **{**two, **options}),
        getattr(stock_heads, stock)(nc=nc, ch=channels, **own, **two),
    ]
    for head in pair:
        head.stride = torch.tensor([8.0, 16.0, 32.0])
    return pair


def shapes(x: object) -> object:
    if isinstance(x, torch.Tensor):
        return tuple(x.shape)
    if isinstance(x, dict):
        return {key: shapes(v) for key, v in x.items()}
    return [shapes(v) for v in x] if isinstance(x, (list, tuple)) else x


def without_maps(x: Any) -> Any:
    if isinstance(x, dict):
        return {key: without_maps(v) for key, v in x.items() if key != "feats"}
    return [without_maps(v) for v in x] if isinstance(x, list) else x


@each_head
@pytest.mark.parametrize("form", mostly_slow(["separate", "shared", "merged", "zero"], ["shared", "merged"]))
@pytest.mark.parametrize("training", mostly_slow([True, False], [False]), ids=["training", "inference"])
def test_outputs_have_the_shapes_of_the_stock_heads_whatever_its_tasks_share(
    which: str, form: str, training: bool
) -> None:
    light, stock = (head.train(training) for head in heads(which, form=form))
    given, expected = (shapes(head(maps())) for head in (light, stock))
    if form == "merged":  # what comes out beside predictions are the maps that they are made from
        given, expected = (without_maps(x) for x in (given, expected))
    assert given == expected
    light.bias_init()


@pytest.mark.parametrize("task", ["", "-seg"], ids=["detect", "segment"])
def test_in_yolov8n_a_light_head_is_a_tenth_of_stocks_and_its_maps_take_less_memory_as_the_page_says(task: str) -> None:
    stock, light = (build(f"yolov8n{name}{task}.yaml") for name in ("", "-lite"))
    assert 10 * parameters(light.model[-1]) < parameters(stock.model[-1])
    quarter = (3, 160, 160)  # a sixteenth of the memory at 640 pixels
    peaks = [16 * cost(m.eval().fuse(verbose=False), quarter).peak_bytes / 1e6 for m in (stock, light)]
    assert peaks[1] < peaks[0]
    page = " ".join((Path(__file__).parents[1] / "docs" / "speed.md").read_text(encoding="utf-8").split())
    assert f"yolov8n{task} {peaks[0]:.1f} MB, lite{task} {peaks[1]:.1f} MB" in page


@each_head
@pytest.mark.parametrize(("reg_max", "form"), [(1, "separate"), (16, "separate"), (12, "merged"), (1, "merged")])
def test_fused_it_gives_the_same_boxes_without_softmax_and_batch_norm(which: str, reg_max: int, form: str) -> None:
    head = heads(which, reg_max=reg_max, form=form)[0]
    fused = fuse(copy.deepcopy(randomise(head)))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in fused.modules())
    assert isinstance(fused.dfl, ExpectedDistance if reg_max > 1 else nn.Identity)
    x = maps()
    before, after = head([m.clone() for m in x])[0], fused([m.clone() for m in x])[0]
    for a, b in zip(*((y if isinstance(y, tuple) else (y,)) for y in (before, after)), strict=True):
        torch.testing.assert_close(a, b, rtol=CLOSE, atol=CLOSE)


@pytest.mark.parametrize("scale", [1, 30, 300], ids=["ordinary logits", "sure", "overflowing exponentials"])
@pytest.mark.parametrize("n", [2, 7, 16, 17])
def test_distances_are_those_of_ultralytics_dfl(n: int, scale: float) -> None:
    from ultralytics.nn.modules import DFL

    torch.manual_seed(0)
    logits = scale * torch.randn(2, 4 * n, 50)
    torch.testing.assert_close(ExpectedDistance(n)(logits), DFL(n)(logits), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "same"), [("yolov8n.yaml", 0), ("yolo26n-pose.yaml", 0)])
def test_stock_weights_leave_the_light_head_as_it_is(name: str, same: int, tmp_path: Any) -> None:
    """Upstream rebuilds a head's class branches at the width of the pretrained ones."""
    from ultralytics import YOLO

    stock = YOLO(name)
    stock.save(tmp_path / "stock.pt")
    light = YOLO(name.replace("n", "n-lite", 1))
    before = [type(m).__name__ for m in light.model.model[-1].modules()]
    light.load(tmp_path / "stock.pt")
    assert [type(m).__name__ for m in light.model.model[-1].modules()] == before
    assert torch.equal(light.model.model[same].conv.weight, stock.model.model[same].conv.weight.half().float())


TWO_HALVES = pytest.mark.parametrize("which", [which for which, (*_, two) in HEADS.items() if two] + ["YOLOv10"])


@TWO_HALVES
@pytest.mark.parametrize("form", ["shared", "merged"])
def test_each_half_of_an_end_to_end_head_has_what_its_branches_share_to_itself(which: str, form: str) -> None:
    head, x = heads(which, form=form)[0].train(), [m.requires_grad_() for m in maps()]
    sum(t.square().sum() for t in tensors(head(x)["one2one"]) if t.requires_grad).backward()
    reached = {name for name, p in head.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert any(name.startswith("one2one_stem") for name in reached)
    assert not any(name.startswith(("stem", "cv2", "cv3")) for name in reached)
    head.end2end = True
    head.eval().fuse()
    assert head.stem is None
    assert head.one2one_stem is not None


@TWO_HALVES
def test_end_to_end_a_head_gives_what_its_one_to_one_half_finds(which: str) -> None:
    head, x = randomise(heads(which, form="merged")[0]), maps()
    head.end2end = True
    both, preds = head([m.clone() for m in x])
    fused = copy.deepcopy(head)
    fused.fuse()
    alone = fused([m.clone() for m in x])[0]
    for a, b in zip(*((y if isinstance(y, tuple) else (y,)) for y in (both, alone)), strict=True):
        torch.testing.assert_close(a, b, rtol=CLOSE, atol=CLOSE)
    assert not torch.allclose(preds["one2one"]["boxes"], preds["one2many"]["boxes"]), "two halves, not one twice"


@pytest.mark.parametrize("form", ["shared", "merged", "zero"])
def test_weights_of_a_light_head_are_loaded_whatever_its_tasks_share(form: str) -> None:
    """Upstream looks for the channels of each branch's first layer."""
    source, target = (head_of(["plugins.LiteDetect", ["nc", 16, 5, "relu", form]], whole=True) for _ in range(2))
    target.load(source)
    torch.testing.assert_close(target.model[-1].state_dict(), source.model[-1].state_dict())


END_TO_END = {"pose": "-pose", "segment": "-seg", "obb": "-obb", "detect": ""}
FORMATS = {"onnx": "onnxruntime", "torchscript": "torch", "openvino": "openvino", "mnn": "MNN", "dnn": "cv2"}
"""Runtimes that have what a head without NMS needs, and what they need: NCNN has no top-k."""


@pytest.mark.filterwarnings("ignore")  # the exporters', of the models' own branches
@pytest.mark.parametrize(
    ("task", "form"),
    [
        pytest.param(task, form, marks=() if form == "onnx" else pytest.mark.slow)
        for task, form in product(END_TO_END, FORMATS)
    ],
)
def test_an_end_to_end_model_finds_the_same_once_exported(
    task: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of scores that are equal but for rounding a runtime may put either first, so detections are looked for."""
    from ultralytics import YOLO

    pytest.importorskip(FORMATS[form])
    if form == "mnn":
        import_mnn()  # by itself its converter would install a package that breaks onnx
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    made, x = YOLO(f"yolo26n-lite{END_TO_END[task]}.yaml"), torch.rand(1, 3, 96, 96)
    with torch.no_grad(), measured_norms(made.model):
        made.model(torch.rand(4, 3, 96, 96))
    made.save("lively.pt")
    options = {"simplify": False} if form == "onnx" else {}
    file = YOLO("lively.pt").export(format={"dnn": "onnx"}.get(form, form), imgsz=96, nms=False, **options)
    exported = ordered(LOADERS[form](Path(file), 1, True)(x.numpy()))[0]
    network = YOLO("lively.pt").model.eval()
    network.end2end = True
    with torch.no_grad():
        found = next(tensors(network.fuse(verbose=False)(x))).numpy()
    assert found.shape[1] > 100
    differences = raw_differences([exported], [found], task, network.model[-1].nc)
    assert not disagreement(differences, None)
    assert max(differences.values()) < 0.05


def test_a_light_detector_gives_its_head_to_a_light_segmenter() -> None:
    source, target = build("yolov8n-lite.yaml"), build("yolov8n-lite-seg.yaml")
    target.load(source)
    ours, theirs = (model.model[-1].state_dict() for model in (target, source))
    taken = [name for name in ours if name in theirs and ours[name].shape == theirs[name].shape]
    assert {"stem.0.0.conv.weight", "cv2.0.2.bias", "cv3.2.2.weight"} < {*taken}
    assert all(torch.equal(ours[name], theirs[name]) for name in taken)


def head_of(row: list[Any], whole: bool = False, **keys: Any) -> Any:
    """The head of a model that ends with this row, or the whole model."""
    from ultralytics.nn.tasks import DetectionModel, SegmentationModel

    rows = [[-1, 1, "Conv", [16 * 2**i, 3, 2]] for i in range(5)]
    cls = SegmentationModel if "Segment" in row[0] else DetectionModel
    model = cls({"nc": 2, "backbone": rows, "head": [[[2, 3, 4], 1, *row]], **keys}, verbose=False)
    return model if whole else model.model[-1]


def test_reg_max_is_the_rows_or_else_the_yamls() -> None:
    assert head_of(["plugins.LiteDetect", ["nc"]]).reg_max == 16
    assert head_of(["plugins.LiteDetect", ["nc"]], reg_max=1).reg_max == 1
    assert head_of(["plugins.LiteDetect", ["nc", 8]], reg_max=1).reg_max == 8


def test_a_yaml_says_whether_a_head_is_end_to_end() -> None:
    assert not hasattr(head_of(["plugins.LiteDetect", ["nc"]]), "one2one_cv2")
    assert head_of(["plugins.LiteDetect", ["nc"]], end2end=True).one2one_cv2 is not None
    assert head_of(["plugins.LiteV10Detect", ["nc"]]).one2one_cv2 is not None


def test_a_release_that_lacks_the_parent_says_so_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.nn.modules import Detect
    from yolo_plugins import LiteDetect
    from yolo_plugins.heads.halves import LightHead, parent

    class LiteFuture(LightHead, parent("Future")):
        def __init__(self) -> None:
            self.build([16], 3, nc=2)

    with pytest.raises(ValueError, match=r"LiteFuture derives from Future, which Ultralytics \S+ has not: pip install"):
        LiteFuture()
    monkeypatch.setattr(Detect, "__init__", lambda self, nc=80, ch=(): None)
    with pytest.raises(
        ValueError, match=r"LiteDetect cannot be end-to-end with Ultralytics \S+, which has no such Detect"
    ):
        LiteDetect([16], 2, end2end=True)


def test_a_release_whose_halves_cannot_each_share_something_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics.nn.modules import Detect
    from yolo_plugins import LiteV10Detect

    monkeypatch.delattr(Detect, "forward_head")
    with pytest.raises(ValueError, match=r'LiteV10Detect: form="merged" of two halves needs Ultralytics 8\.4 or newer'):
        LiteV10Detect([16], 2, form="merged")
    assert LiteV10Detect([16], 2).one2one_cv2 is not None


def test_classes_are_taken_over_by_their_names_from_a_head_of_others() -> None:
    row = ["plugins.LiteDetect", ["nc", 12, 3, "relu", "merged"]]
    source, target = head_of(row, whole=True), head_of(row, whole=True, nc=1)
    source.names, target.names = {0: "cat", 1: "dog"}, {0: "dog"}
    target.load(source)
    for ours, theirs in zip(target.model[-1].cv3, source.model[-1].cv3, strict=True):
        assert torch.equal(ours[-1].weight, theirs[-1].weight[1:])
    assert torch.equal(target.model[-1].stem[0][0].conv.weight, source.model[-1].stem[0][0].conv.weight)
    assert target.eval()(torch.rand(1, 3, 64, 64))[0].shape[1] == 4 + 1


def test_hidden_channels_of_the_prototypes_scale_with_the_models_width() -> None:
    row = ["plugins.LiteSegment", ["nc", 32, 128]]
    assert head_of(row, scales={"n": [1.0, 0.25, 1024]}, scale="n").npr == 32
    assert head_of(row).npr == 128


REFUSED = {
    "nc=0": [0],
    "reg_max=0": ["nc", 0],
    "k=4 is even": ["nc", 16, 4],
    "sulu": ["nc", 16, 3, "sulu"],
    "form='sharde' is none of separate, shared": ["nc", 16, 3, "relu", "sharde"],
}


@pytest.mark.parametrize(("reason", "args"), REFUSED.items(), ids=REFUSED)
def test_a_head_that_cannot_be_built_is_refused_with_its_row_and_numbers(reason: str, args: list[Any]) -> None:
    with pytest.raises(ValueError, match=rf"row 5 \(plugins.LiteDetect\): .*{reason}"):
        head_of(["plugins.LiteDetect", args])
