"""`yolo-plugins yaml`: a light version of any stock YAML, by recipes."""

import re
from pathlib import Path

import pytest
import torch
from conftest import mostly_slow
from recipe_table import pair
from replacement_cases import tensors
from yolo_plugins import C2f, cli, model_yamls
from yolo_plugins.blocks.counting import parameters
from yolo_plugins.models.building import build, from_text
from yolo_plugins.rows.description import read, rows_of
from yolo_plugins.rows.yaml_files import stock_file, stock_files, with_scale
from yolo_plugins.swapping.recipes import RECIPES, recipe
from yolo_plugins.swapping.row_edits import edit_head, edit_rows
from yolo_plugins.swapping.yaml_writing import light_name, swap_yaml

SHIPPED = [
    (path.name, kind)
    for path in stock_files()
    for kind in RECIPES
    if light_name(path.stem, kind) in model_yamls.names()
]
SAMPLE = [
    ("yolov3-tiny.yaml", "dwconv"),
    ("yolov5.yaml", "ghost"),
    ("yolov6.yaml", "shuffle"),
    ("yolov8-cls.yaml", "se"),
    ("yolov9t.yaml", "ghost"),
    ("yolov10n.yaml", "dwconv"),
    ("yolo11-seg.yaml", "ghost"),
    ("yolo11-obb.yaml", "shuffle-gentle"),
    ("yolo12.yaml", "ghost"),
    ("yolo26-pose.yaml", "ghost-gentle"),
    ("yolov8.yaml", "faster"),
    ("yolov5.yaml", "slim-neck"),
    ("yolo11.yaml", "bifpn"),
    ("yolo26.yaml", "uib"),
]
SCALED = [("yolov8.yaml", "n"), ("yolo11.yaml", "n"), ("yolo26.yaml", "m")]
TABLE = Path(__file__).parent.parent / "docs" / "recipe-table.md"


pytestmark = pytest.mark.usefixtures("patched")


@pytest.mark.parametrize(("stock", "kind"), mostly_slow(SHIPPED, SHIPPED[::5]))
def test_the_shipped_yamls_are_what_the_command_writes(stock: str, kind: str) -> None:
    swapped = swap_yaml(stock, kind, figures=False)
    shipped = (model_yamls.FOLDER / swapped.name).read_text(encoding="utf-8")
    # The figures are counted again in test_model_yamls.py.
    assert swapped.text == re.sub(r"; figures before fusing.*| # [\d,]+ parameters.*", "", shipped)


@pytest.mark.parametrize(("stock", "kind"), mostly_slow(SAMPLE, SAMPLE[3::4]))
def test_a_light_model_of_each_family_builds_and_trains(stock: str, kind: str) -> None:
    made = pair(stock, kind)
    assert 0 < made.swapped <= made.rows
    assert made.params[0] != made.params[1]


@pytest.mark.parametrize("kind", RECIPES)
@pytest.mark.parametrize("stock", mostly_slow(["yolov5.yaml", "yolo12.yaml"], ["yolo12.yaml"]))
def test_every_row_is_swapped_or_has_a_reason(stock: str, kind: str) -> None:
    edits, _ = edit_rows(read(stock_file(stock)), stock, recipe(kind))
    assert edits
    assert all(bool(edit.block) != bool(edit.reason) for edit in edits)


@pytest.mark.slow
@pytest.mark.parametrize("kind", RECIPES)
@pytest.mark.parametrize("stock", [path.name for path in stock_files()])
def test_every_stock_yaml_takes_every_recipe_as_the_table_says(stock: str, kind: str) -> None:
    lines = [[cell.strip() for cell in line.split("|")] for line in TABLE.read_text(encoding="utf-8").splitlines()]
    heading = next(line for line in lines if "stock YAML" in line)
    cells = next(dict(zip(heading, line, strict=True)) for line in lines if stock in line)
    assert str(pair(stock, kind)) == cells[kind]


@pytest.mark.parametrize(("stock", "scale"), mostly_slow(SCALED, SCALED[1:2]))
def test_rows_that_are_not_swapped_are_the_stock_ones(stock: str, scale: str) -> None:
    swapped = swap_yaml(stock, "ghost", figures=False)
    gone = {edit.row for edit in swapped.edits if edit.block}
    with from_text(swapped.text, with_scale(swapped.name, scale)) as yolo:
        light = yolo.model.model
    for i, (ours, theirs) in enumerate(zip(light, build(with_scale(stock, scale)).model, strict=True)):
        assert ours.f == theirs.f
        if i not in gone:
            shapes = [{k: v.shape for k, v in row.state_dict().items()} for row in (ours, theirs)]
            assert shapes[0] == shapes[1]


def test_a_shuffle_unit_stands_only_where_it_can_at_every_scale() -> None:
    blocks = {edit.row: edit.block for edit in swap_yaml("yolov8.yaml", "shuffle", figures=False).edits}
    assert blocks[5] == "ShuffleUnit"
    assert blocks[7] == "GroupConv"  # 512 → 512 channels at scales l and x


def test_a_row_that_cannot_be_swapped_stays_and_says_why() -> None:
    edits = {edit.row: edit for edit in swap_yaml("yolov5.yaml", "ghost", figures=False).edits}
    assert not edits[0].block
    assert "even kernel of 6" in edits[0].reason


def test_a_recipe_may_be_the_users_own_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("title: my stages\nrules:\n  - {stage: C2fDW, stride: 32, neck: false, options: {d: 3}}\n")
    edits = [edit for edit in swap_yaml("yolov8.yaml", str(file), figures=False).edits if edit.block]
    assert [(edit.row, edit.block, edit.args) for edit in edits] == [(8, "C2fDW", (1024, True, 3))]


@pytest.mark.parametrize(
    ("options", "row"),
    [
        ("{inner: GhostBottleneck, gate: SE}", '[512, True, "GhostBottleneck", "SE"]'),
        ("{inner: DWConv(d=2), act: relu}", '[512, True, "DWConv(d=2)", None, 0.5, "relu"]'),
    ],
)
@pytest.mark.parametrize("stock", mostly_slow(["yolov8.yaml", "yolov8-seg.yaml"], ["yolov8-seg.yaml"]))
def test_a_recipe_may_compose_its_stages(stock: str, options: str, row: str, tmp_path: Path) -> None:
    file = tmp_path / "mixture.yaml"
    file.write_text(f"rules: [{{stage: C2f, stride: 16, options: {options}}}]")
    swapped = swap_yaml(stock, str(file), figures=False)
    assert f"- [-1, 6, plugins.C2f, {row}] # " in swapped.text
    with from_text(swapped.text, with_scale(swapped.name, "n")) as yolo:
        assert [i for i, layer in enumerate(yolo.model.model) if type(layer) is C2f] == [6, 8, 12, 15, 18, 21]
        assert parameters(yolo.model) < parameters(build(with_scale(stock, "n")))
        assert next(tensors(yolo.model.eval()(torch.rand(1, 3, 64, 64)))).isfinite().all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("finest: 2\nrules: []", "finest: 2 must be a part, above 0 and at most 1"),
        ("rules: [{stge: C2fDW}]", "rule 1 must name its block once"),
        ("rules: [{stage: C2fDW, strid: 3}]", "rule 1 has no key 'strid'"),
        ("rules: [{stage: C2fDW, stride: far}]", "rule 1: stride: 'far' must be a whole number"),
        ("rules: [{stage: C2fWD}]", "no block is called 'C2fWD'"),
        ("rules: [{stage: C2f, options: {iner: SE}}]", "C2f has no argument iner; it has n, shortcut, inner, gate"),
        ("rules: [{stage: C2f, options: {inner: GostConv}}]", "no block is called 'GostConv'; did you mean GhostConv"),
    ],
)
def test_a_wrong_recipe_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)):
        swap_yaml("yolov8.yaml", str(file), figures=False)


HEADS_THAT_STAY = {
    "WorldDetect": "embeddings of words",
    "YOLOEDetect": "embeddings of words",
    "YOLOESegment": "embeddings of words",
    "YOLOESegment26": "embeddings of words",
    "RTDETRDecoder": "is a transformer's decoder",
    "SemanticSegment": "labels pixels",
    "Depth": "gives a depth to pixels",
}


SHARES = {"Detect": "merged", "OBB": "merged", "Pose": "shared", "Segment": "shared"}
"""What tasks share in lite's heads, but for those of two halves."""


@pytest.mark.parametrize("stock", [path.name for path in stock_files()])
def test_lite_swaps_the_head_of_any_stock_yaml_or_says_why_it_stays(stock: str) -> None:
    description = read(stock_file(stock))
    (edit,) = edit_head(description, recipe("lite"))
    assert bool(edit.block) is (edit.stock not in HEADS_THAT_STAY)
    assert HEADS_THAT_STAY.get(edit.stock, "") in edit.reason
    if edit.block and edit.stock != "Classify":
        form = SHARES.get(edit.stock) if not description.get("end2end") else None
        assert edit.args[-4 if form else -2 :] == (description.get("reg_max", 12), 3, *(("relu", form) if form else ()))


def test_a_heads_options_go_after_what_the_yaml_says_for_all_rows_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "head.yaml"
    file.write_text("rules: [{head: LiteDetect, options: {k: 3}}]")
    rows = {stock: swap_yaml(stock, str(file), figures=False).edits[0].args for stock in ("yolov8.yaml", "yolo26.yaml")}
    assert rows == {"yolov8.yaml": ("nc", 16, 3), "yolo26.yaml": ("nc", 1, 3)}
    file.write_text("rules: [{head: LiteDetect, options: {kernel: 3}}]")
    with pytest.raises(ValueError, match="LiteDetect has no argument kernel; it has nc, reg_max, k"):
        swap_yaml("yolov8.yaml", str(file), figures=False)


@pytest.mark.parametrize(("stock", "row"), [("yolov8.yaml", 15), ("yolov8-p2.yaml", 18), ("yolov8-cls.yaml", None)])
def test_a_recipe_may_narrow_the_necks_finest_level(stock: str, row: int | None, tmp_path: Path) -> None:
    file = tmp_path / "narrow.yaml"
    file.write_text("finest: 0.5\nrules: [{stage: RepGhostStage, stride: 1}]")
    swapped = swap_yaml(stock, str(file), figures=False)
    before = [args[0] for *_, args in rows_of(read(stock_file(stock)))]
    halved = {edit.row for edit in swapped.edits if edit.block and edit.args[0] != before[edit.row]}
    assert halved == ({row} if row else set())
    assert all(2 * edit.args[0] == before[edit.row] for edit in swapped.edits if edit.row in halved)


def test_a_recipe_that_finds_nothing_says_why_row_by_row() -> None:
    with pytest.raises(ValueError, match="no row can be swapped by se") as refused:
        swap_yaml("yolo12-cls.yaml", "se", figures=False)
    assert "C3k2 (row 2) is at stride 4; the recipe begins at 16" in str(refused.value)
    assert "A2C2f (rows 6, 8) has attention inside" in str(refused.value)
    assert "there are only TorchVision, Classify" in pair("yolo11-cls-resnet18.yaml", "ghost").refused


def test_unknown_names_come_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean ghost"):
        recipe("gost")
    with pytest.raises(FileNotFoundError, match=r"did you mean yolo11-seg\.yaml"):
        stock_file("yolo11-sgg.yaml")


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("yolov8-seg", "yolov8-ghost-seg.yaml"),
        ("yolo26-p2", "yolo26-ghost-p2.yaml"),
        ("yoloe-11-seg", "yoloe-11-ghost-seg.yaml"),
        ("rtdetr-l", "rtdetr-l-ghost.yaml"),
    ],
)
def test_a_light_model_is_named_like_its_stock_one(stem: str, name: str) -> None:
    assert light_name(stem, "ghost") == name


def test_the_command_writes_a_file_that_builds_and_does_not_replace_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["yaml", "yolov9t.yaml", "--swap", "ghost"]
    assert cli.main(command) == 0
    assert "8 of 10 convolutions and stages swapped" in capsys.readouterr().out
    written = Path("yolov9t-ghost.yaml").read_text(encoding="utf-8")
    assert f"{parameters(build('yolov9t-ghost.yaml')):,} parameters" in written
    assert cli.main(command) == 1
    assert "--force replaces it" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["yolov9t-ghost.yaml"]
    assert cli.main([*command, "-o", "-"]) == 0
    assert capsys.readouterr().out == written
