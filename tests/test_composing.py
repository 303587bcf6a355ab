"""Blocks put into a stock YAML by name, without a recipe: any that is registered, wherever it can stand."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
import yolo_plugins as yp
from cases import randomise
from conftest import mostly_slow
from recipe_table import train_a_step
from torch import Tensor, nn
from yolo_plugins import cli
from yolo_plugins.blocks.composition import keeps_shape
from yolo_plugins.models.building import from_text
from yolo_plugins.models.dry_run import build as without_memory
from yolo_plugins.rows.description import read, rows_of
from yolo_plugins.rows.yaml_files import stock_file
from yolo_plugins.swapping.rules import able

pytestmark = pytest.mark.usefixtures("patched")

SMALL = """nc: 3

backbone:
  - [-1, 1, Conv, [16, 3, 2]]
  - [-1, 1, Conv, [32, 3, 2]]
  - [-1, 1, Conv, [64, 3, 2]] # 2-P3/8
  - [-1, 1, C3k2, [64, False]]
  - [-1, 1, ADown, [96]] # 4-P4/16
  - [-1, 1, C2f, [96, True]]

head:
  - [-1, 1, nn.Upsample, [None, 2, "nearest"]]
  - [[-1, 3], 1, Concat, [1]]
  - [-1, 1, C3, [64, False]] # 8
  - [-1, 1, Conv, [96, 3, 2]]
  - [[-1, 5], 1, Concat, [1]]
  - [-1, 2, C2f, [96]] # 11
  - [[8, 11], 1, Detect, [nc]]
"""
ROWS = {"stage": [5, 8, 11], "gate": [5, 8, 11], "down": [4, 9], "up": [6], "join": [7, 10]}
"""Rows of that model from stride 16 on and in the neck, by what may take their place."""
EVERY = [(kind, name) for kind in ROWS for name in able(kind) if yp.BLOCKS[name].__module__ == "yolo_plugins"]
ONLY = {"ShuffleUnit": "(g=2)"}
"""Arguments of blocks whose defaults do not fit these channels."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of two levels in which every sort of row can be swapped."""
    file = tmp_path_factory.mktemp("small") / "small.yaml"
    file.write_text(SMALL)
    return file


def written(small: Path, **blocks: Any) -> tuple[Any, Any]:
    """The YAML with blocks in it, and its model."""
    swapped = yp.swap_yaml(str(small), yp.compose(**blocks), figures=False)
    with from_text(swapped.text, swapped.name) as yolo:
        return swapped, yolo.model


@pytest.mark.parametrize(("kind", "name"), mostly_slow(EVERY, EVERY[::4]))
def test_every_block_stands_where_it_can_and_the_model_trains_and_fuses(small: Path, kind: str, name: str) -> None:
    torch.manual_seed(0)
    swapped, model = written(small, **{kind: name + ONLY.get(name, "")})
    block, layers = yp.BLOCKS[name], list(model.model)
    assert [edit.row for edit in swapped.edits if edit.block] == ROWS[kind]
    assert all(any(type(m) is block for m in layers[row].modules()) for row in ROWS[kind])
    assert [layer.f for layer in layers] == [row[0] for row in rows_of(yaml.safe_load(SMALL))]
    assert model.stride.tolist() == [8, 16]
    train_a_step(model)
    x = torch.rand(1, 3, 64, 96)
    plain = randomise(model)(x)[0]
    torch.testing.assert_close(model.fuse(verbose=False)(x)[0], plain, rtol=1e-3, atol=1e-3)


def test_a_stage_keeps_its_shape_around_an_inner_block_and_its_gate(small: Path) -> None:
    _, model = written(small, stage="FasterBlock", gate="ECA", from_stride=8)
    shapes = {row: type(model.model[row]) for row in (3, 5, 8, 11)}
    assert shapes == {3: yp.C3k2, 5: yp.C2f, 8: yp.C3, 11: yp.C2f}
    for row in shapes:
        inside = [type(m) for m in model.model[row].modules()]
        assert inside.count(yp.FasterBlock) == inside.count(yp.ECA) >= 1


def test_gates_alone_leave_every_other_tensor_of_a_stock_model_as_it_is() -> None:
    stock = read(stock_file("yolo11.yaml"))
    gated = yaml.safe_load(yp.swap_yaml("yolo11.yaml", yp.compose(gate="SE"), figures=False).text)
    for scale in "nm":  # of which m has larger parts inside
        before, after = (
            {name: tuple(t.shape) for name, t in without_memory({**rows, "scale": scale}).state_dict().items()}
            for rows in (stock, gated)
        )
        assert {name: shape for name, shape in after.items() if ".gate." not in name} == before
        assert len(after) > len(before)


def test_a_stride_says_where_in_the_backbone_blocks_begin(small: Path) -> None:
    def rows(stride: int) -> list[int]:
        chosen = yp.compose(stage="GhostBottleneck", from_stride=stride)
        return [edit.row for edit in yp.swap_yaml(str(small), chosen, figures=False).edits if edit.block]

    assert rows(32) == [8, 11]
    assert rows(16) == [5, 8, 11]
    assert rows(8) == [3, 5, 8, 11]


def test_a_sum_has_the_channels_of_the_row_that_it_leads_to(small: Path) -> None:
    swapped = yp.swap_yaml(str(small), "bifpn", figures=False)
    assert {edit.row: edit.args for edit in swapped.edits} == {7: (64,), 10: (96,)}
    assert "2 of 2 joins swapped" in swapped.report()


def test_what_halves_a_map_is_swapped_whatever_it_is(small: Path) -> None:
    swapped = yp.swap_yaml(str(small), yp.compose(down="SPDConv"), figures=False)
    assert {edit.row: edit.stock for edit in swapped.edits if edit.block} == {4: "ADown", 9: "Conv"}
    assert "2 of 5 downsamplings swapped" in swapped.report()


def test_blocks_by_name_come_before_a_recipe(small: Path) -> None:
    swapped = yp.swap_yaml(str(small), yp.compose(swap="ghost", up="DySample"), figures=False)
    assert swapped.name == "small-ghost-dysample.yaml"
    assert {edit.block for edit in swapped.edits} == {"", "C2fGhost", "GhostConv", "DySample"}


@pytest.fixture
def own_blocks() -> Iterator[None]:
    """Two blocks of a user's: one for the inside of stages, one that enlarges maps."""

    @yp.register("same")
    class Mixed(nn.Conv2d):
        def __init__(self, c1: int) -> None:
            super().__init__(c1, c1, 3, padding=1, groups=c1)

    @yp.register("same", stands_for=("up",))
    class Doubled(nn.Module):
        def __init__(self, c1: int, scale: int = 2) -> None:
            super().__init__()
            self.make = nn.ConvTranspose2d(c1, c1, scale, scale)

        def forward(self, x: Tensor) -> Tensor:
            return self.make(x)

    assert keeps_shape(Mixed)
    yield
    yp.unregister(Mixed)
    yp.unregister(Doubled)


def test_a_users_own_blocks_are_found_by_their_specification(small: Path, own_blocks: None) -> None:
    swapped, model = written(small, stage="Mixed", gate="SimAM", up="Doubled")
    assert type(model.model[6]).__name__ == "Doubled"
    assert [type(m).__name__ for m in model.model[5].modules()].count("Mixed") == 1
    assert "enlarge" not in swapped.text
    train_a_step(model)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("--stage FasterBlok", "no block is called 'FasterBlok'; did you mean FasterBlock"),
        ("--stage FasterBlock(d=2)", "FasterBlock cannot be dilated; ConvBNAct, DWConv, "),
        ("--stage FasterBlock(ratio=2)", "FasterBlock has no argument ratio; it has k, e, expand"),
        ("--stage DySample", "DySample cannot be an inner block: its rows do not make c channels of c and keep H×W; "),
        ("--stage SPDConv", "SPDConv cannot be an inner block"),
        ("--stage C2fGhost --gate EMA", "C2fGhost takes no gate; the stages C2f, C3, C3k2 do"),
        ("--stage FasterBlock --gate UIB", "UIB is no gate; gates are SE, "),
        ("--gate UIB", "UIB cannot be a gate; SE, "),
        ("--down FasterBlock", "FasterBlock cannot downsample in place of a row; ConvBNAct, "),
        ("--up SPDConv", "SPDConv cannot upsample in place of a row; CARAFE, DySample can"),
        ("--join SE", "SE cannot join several rows to one map; WeightedSum can"),
        ("--gate SE --from-stride 0", "stride 0, from which on blocks are swapped, must be at least 1"),
        ("--swap ghost --from-stride 8", "a stride to begin at goes with a stage"),
        ("--swap ghost --gate SE", "ghost has stages of its own; name the stage that SE is to be in as well"),
        ("--stage 'GhostBottleneck(3)'", "names no block; write one as GhostBottleneck or ShuffleUnit(g=4)"),
        ("--down ShuffleUnit(g=7)", "no row can be swapped by --down 'ShuffleUnit(g=7)' --from-stride 16: "),
        ("--backbone resnet18", "'resnet18' is no backbone; write one as timm:NETWORK"),
        ("--backbone timm:resnet81", "has no network 'resnet81'; did you mean resnet18"),
        ("--backbone timm:vit_tiny_patch16_224", "has no map at stride 8; it has maps at 16"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence_with_what_can(
    small: Path,
    asked: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    options = [word.strip("'") for word in asked.split()]
    assert cli.main(["yaml", str(small), *options]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_gate_needs_a_stage_that_takes_one() -> None:
    with pytest.raises(ValueError, match=r"RepNCSPELAN4 \(rows .*\) has no place for a gate, which C2f, C3, C3k2 have"):
        yp.swap_yaml("yolov9t.yaml", yp.compose(gate="SE"), figures=False)


def test_a_recipe_file_may_name_every_kind_of_row(small: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "rules:\n  - {stage: FasterBlock, options: {gate: EMA(g=4), expand: 3.0}}\n"
        "  - {down: SPDConv, backbone: false}\n  - {up: CARAFE, options: {mid: 16}}\n  - {join: WeightedSum}\n"
    )
    edits = {edit.row: edit for edit in yp.swap_yaml(str(small), file, figures=False).edits}
    assert edits[5].args == (96, True, "FasterBlock(expand=3.0)", "EMA(g=4)")
    assert edits[4].reason == "is in the backbone, which the recipe leaves"
    assert {row: edit.block for row, edit in edits.items() if row in (6, 7, 9, 10)} == {
        6: "CARAFE", 7: "WeightedSum", 9: "SPDConv", 10: "WeightedSum",
    }  # fmt: skip
    assert edits[6].args == (2, 5, 3, 16)


def test_the_command_repeats_itself_in_the_file_that_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if not hasattr(pytest.importorskip("ultralytics.nn.modules"), "C3k2"):
        pytest.skip("this Ultralytics has no C3k2")
    (tmp_path / "small.yaml").write_text(SMALL)
    blocks = ["--stage", "ShuffleUnit(g=2)", "--gate", "EMA", "--down", "SPDConv", "--from-stride", "8"]
    assert cli.main(["yaml", "small.yaml", *blocks, "-o", "mine.yaml"]) == 0
    text = Path("mine.yaml").read_text()
    found = re.search(r"`yolo-plugins yaml (.*)`", text)
    assert found is not None
    assert found[1] == "small.yaml --stage 'ShuffleUnit(g=2)' --gate EMA --down SPDConv --from-stride 8"
    assert 'plugins.C3k2, [64, False, "ShuffleUnit(g=2)", "EMA"]] # was C3k2' in text
