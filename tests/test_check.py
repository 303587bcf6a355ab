"""`yolo-plugins check`: what it finds in a model YAML, and that every shipped one and every stock one passes."""

import copy
from pathlib import Path

import pytest
import yaml
from conftest import mostly_slow
from yolo_plugins import model_yamls
from yolo_plugins.cli import main
from yolo_plugins.inspection.checks import Verdict, check_model
from yolo_plugins.rows.yaml_files import stock_file, stock_files, with_scale

GHOST = yaml.safe_load((model_yamls.FOLDER / "yolov8-ghost.yaml").read_text())
TASKS = {"-seg": "segment", "-pose": "pose", "-obb": "obb", "-cls": "classify", "-sem": "semantic", "-depth": "depth"}
EVERY = model_yamls.names() + [path.name for path in stock_files()]
QUICK = (
    "yolov8-ghost.yaml", "yolov8-lite-seg.yaml", "yolov8-mobilenetv3.yaml", "mobilenetv3-cls.yaml", "yolo26-lite.yaml",
    "yolo26-lite-pose.yaml", "yolo11-lite-obb.yaml", "yolov5.yaml", "yolov8-pose.yaml", "yolo12.yaml", "rtdetr-l.yaml",
    "yolo26.yaml",
)  # fmt: skip


def ghost(**changes: object) -> dict:
    return {**copy.deepcopy(GHOST), **changes}


def with_row(index: int, row: list) -> dict:
    """The Ghost model with one row replaced."""
    model = ghost()
    rows = model["backbone"] + model["head"]
    rows[index][:] = row
    return model


def checked(model: dict | str, folder: Path, name: str = "yolov8-mine.yaml", **options: object) -> Verdict:
    file = folder / name
    file.write_text(model if isinstance(model, str) else yaml.safe_dump(model, sort_keys=False))
    return check_model(str(file), **{"quick": True, **options})


def sentences(verdict: Verdict) -> list[str]:
    return [str(problem) for problem in verdict.errors]


@pytest.mark.parametrize("name", mostly_slow(EVERY, QUICK))
def test_every_shipped_and_every_stock_yaml_passes_at_its_smallest_scale(name: str) -> None:
    verdict = check_model(name, quick=True)
    assert not verdict.errors, str(verdict)
    task = next((task for suffix, task in TASKS.items() if suffix in name), "detect")
    assert verdict.facts[0].startswith(task)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_every_shipped_and_every_stock_yaml_passes_at_every_scale_and_is_exported(name: str) -> None:
    verdict = check_model(name)
    assert not verdict.errors, str(verdict)
    assert "exported to TorchScript" in str(verdict)


SAMPLE = ("yolov8-ghost.yaml", "mobilenetv3-cls.yaml", "yolov8-shufflenetv1-seg.yaml", "yolo11-obb.yaml")


@pytest.mark.parametrize("name", mostly_slow(SAMPLE, SAMPLE[:2]))
def test_a_full_check_builds_every_scale_and_exports(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", name]) == 0
    out = capsys.readouterr().out
    assert "exported to TorchScript at 64×64" in out
    assert name.startswith("mobilenet") or "scales n s m l x build" in out


BROKEN = {
    "unknown block": (
        with_row(3, [-1, 1, "plugins.GostConv", [256, 3, 2]]),
        "row 3 (plugins.GostConv): no module of this name; did you mean plugins.GhostConv",
    ),
    "signature": (
        with_row(3, [-1, 1, "plugins.GhostConv", [256, "three", 2]]),
        "GhostConv takes [c2, k=1, s=1, ratio=2, cheap_k=3, act='relu'], got k='three' of type",
    ),
    "signature of a stock row": (
        with_row(0, [-1, 1, "Conv", []]),
        "row 0 (Conv): list index out of range; Conv takes [c2",
    ),
    "one row for Concat": (with_row(11, [-1, 1, "Concat", [1]]), "row 11 (Concat): Concat takes several rows; write"),
    "two rows for a conv": (with_row(3, [[-1, 1], 1, "Conv", [256, 3, 2]]), "row 3 (Conv): Conv takes one row; write"),
    "sizes that do not meet": (
        with_row(11, [[-1, 4], 1, "Concat", [1]]),
        "it is given row 10: 256×16×16, row 4: 64×32×32; 16×16 maps come from rows 5, 6, 10",
    ),
    "no head": (with_row(22, [-1, 1, "Conv", [64]]), "row 22 (Conv): the last row is no head"),
    "no classes": (ghost(nc="many"), "nc: 'many' must be the number of classes"),
    "scales": (ghost(scales={"n": [0.33, 0.25]}), "scales: 'n': [0.33, 0.25] must be [depth, width, max_channels]"),
    "a name as argument": (
        with_row(0, [-1, 1, "Conv", [64, 3, 2, "args"]]),
        "row 0 (Conv): argument 'args' is a name that Ultralytics uses itself",
    ),
    "not YAML": ("backbone: [", "is not YAML: while parsing a flow node"),
    "a function": (with_row(0, [-1, 1, "torch_safe_load", ["x"]]), "row 0 (torch_safe_load): no module of this name"),
}


@pytest.mark.parametrize(("model", "sentence"), BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_is_said_with_row_reason_and_remedy(model: dict | str, sentence: str, tmp_path: Path) -> None:
    (found,) = sentences(checked(model, tmp_path))
    assert sentence in found
    assert "\n" not in found


def test_all_that_can_be_read_is_said_at_once(tmp_path: Path) -> None:
    model = with_row(3, [-1, 0, "plugins.GostConv", 3])
    model["nc"] = 0
    assert len(sentences(checked(model, tmp_path))) == 4


def test_a_scale_that_alone_cannot_be_built_is_named(tmp_path: Path) -> None:
    model = with_row(7, [-1, 1, "plugins.ShuffleUnit", [1024, 2, 4]])
    large, largest = sentences(checked(model, tmp_path, quick=False))
    assert "row 7 (plugins.ShuffleUnit): ShuffleUnit: at stride 2" in large
    assert "c2=512 must exceed c1=512 (at scale l of n, s, m, l, x)" in large
    assert "(at scale x of n, s, m, l, x)" in largest


def ending(*rows: list) -> dict:
    """The Ghost model with other rows in the place of its head."""
    return ghost(head=[*GHOST["head"][:-1], *rows])


WARNED = {
    "large map": (
        ending([21, 1, "nn.Upsample", [None, 512, "nearest"]], [[15, 18, 21], 1, "Detect", ["nc"]]),
        "row 22 (nn.Upsample): its map of 256×4096×4096",
    ),
    "repeats": (
        with_row(8, [-1, 5000, "plugins.C2fGhost", [9]]),
        "row 8 (plugins.C2fGhost): 5000 repeats are more",
    ),
    "channels": (with_row(7, [-1, 1, "Conv", [10**9, 3, 2]]), "row 7 (Conv): 1000000000 is more than any model has"),
    "code as activation": (ghost(activation="print(1)"), "activation: 'print(1)' is not a torch.nn layer with plain"),
    "parameters": (ghost(scales={"n": [1.0, 8.0, 8192]}), "the largest of Ultralytics' models have 174 million"),
    "a row that nothing uses": (
        ending([[15, 18, 20], 1, "Detect", ["nc"]]),
        "row 21 (plugins.C2fGhost): no row takes its output",
    ),
    "levels of one stride": (
        ending([[15, 18, 12], 1, "Detect", ["nc"]]),
        "of one stride at 256×256: row 15: 32×32, row 18: 16×16, row 12: 16×16",
    ),
    "a row put in": (
        ending([-1, 1, "plugins.SE", [16]], [[15, 18, 22], 1, "Detect", ["nc"]]),
        "rows are not those of yolov8.yaml one for one (24 against 23)",
    ),
}


@pytest.mark.parametrize(("model", "warning"), WARNED.values(), ids=WARNED)
def test_what_is_doubtful_or_not_run_is_a_warning_and_no_error(model: dict, warning: str, tmp_path: Path) -> None:
    verdict = checked(model, tmp_path)
    assert not verdict.errors
    assert any(warning in str(found) for found in verdict.warnings), str(verdict)


def test_a_base_may_be_named(tmp_path: Path) -> None:
    verdict = checked(ghost(), tmp_path, base="yolov8-p6.yaml")
    assert "not those of yolov8-p6.yaml one for one (23 against 31)" in verdict.warnings[0].reason
    assert "rows aligned with yolov8.yaml" in str(checked(ghost(), tmp_path, "mine.yaml"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("yolov8n-lite.yaml", ["rows aligned with yolov8.yaml"]),
        ("yolov8n-se-seg.yaml", ["rows aligned with yolov8-seg.yaml"]),
        ("ghostnet-cls.yaml", []),
    ],
)
def test_the_stock_yaml_behind_a_shipped_one_is_told(name: str, told: list[str]) -> None:
    assert [fact for fact in check_model(name, quick=True).facts if "aligned" in fact] == told


def test_exit_codes_and_the_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "yolov8-bad.yaml"
    bad.write_text(yaml.safe_dump(ghost(nc=0)))
    assert main(["check", "--quick", str(bad), "yolov8-ghost.yaml"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "2 files, 1 error, 0 warnings"
    assert main(["check", "--quick", "yolov8n-ghostnet.yaml"]) == 0
    assert main(["check", "--quick", "--strict", "yolov8n-ghostnet.yaml"]) == 1


@pytest.mark.parametrize(
    ("name", "found"),
    [("yolov8n.yaml", "yolov8.yaml"), ("yolo11x-seg", "yolo11-seg.yaml"), ("yoloe-26s", "yoloe-26.yaml")],
)
def test_stock_names_are_found_with_and_without_a_scale(name: str, found: str) -> None:
    assert stock_file(name).name == found
    assert with_scale(found, "n").startswith(("yolov8n", "yolo11n", "yoloe-26n"))
