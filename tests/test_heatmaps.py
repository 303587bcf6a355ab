"""`yolo-plugins heatmap` and `yolo_plugins.heatmap`: maps against direct computation, and where a model looks."""

import copy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yolo_plugins
from torch import nn
from yolo_plugins.cli import main
from yolo_plugins.heatmaps.methods import METHODS, principal
from yolo_plugins.models.building import load, yolo

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two drawn images, one of them wide."""
    from yolo_plugins.demo.dataset import draw

    folder = tmp_path_factory.mktemp("images")
    for i, height in enumerate((96, 60)):
        cv2.imwrite(str(folder / f"{i}.png"), draw(96, np.random.default_rng(i))[0][:height])
    return folder


@pytest.mark.parametrize("shape", [(16, 6, 9), (40, 5, 4), (3, 1, 7)], ids=str)
def test_the_projection_is_that_of_a_full_decomposition(shape: tuple[int, int, int]) -> None:
    from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection_with_sign_correction as reference

    maps = np.random.default_rng(0).gamma(1.0, size=shape).astype(np.float32)
    np.testing.assert_allclose(principal(maps), reference(maps[None])[0], rtol=1e-3, atol=1e-4)


def test_a_rows_map_is_its_eigen_cam_computed_directly(images: Path) -> None:
    model = yolo(str(DATA / "0.1.0-detect.pt"))
    found = yolo_plugins.heatmap(model, images, [4], imgsz=96)
    assert found.columns == [(found.columns[0][0], "4 ConvBNAct")]
    for file, heat in zip(found.files, found.maps, strict=True):
        image = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        top = (96 - image.shape[0]) // 2
        full = cv2.copyMakeBorder(image, top, 96 - top - image.shape[0], 0, 0, cv2.BORDER_CONSTANT, value=(114,) * 3)
        full = full[16:80] if image.shape[0] == 60 else full  # 60 lines are padded to 64, not to 96
        x = torch.from_numpy(full).permute(2, 0, 1)[None].float() / 255
        network = copy.deepcopy(model.model).float().eval()
        kept = []
        network.model[4].register_forward_hook(lambda layer, inputs, out, kept=kept: kept.append(out[0]))
        with torch.no_grad():
            network(x)
        points = kept[0].flatten(1).double()
        points = points - points.mean(1, keepdim=True)
        _, vectors = torch.linalg.eigh(points @ points.T)
        map_ = (vectors[:, -1] @ points).view(kept[0].shape[1:])
        map_ = -map_ if map_.min().abs() > map_.max().abs() else map_
        expected = cv2.resize(map_.clamp(min=0).float().numpy(), (96, len(full)))
        cut = (len(full) - image.shape[0]) // 2
        expected = expected[cut : cut + image.shape[0]]
        expected = (expected - expected.min()) / (expected.max() - expected.min())
        assert heat[0].shape == image.shape[:2]
        np.testing.assert_allclose(heat[0], expected, atol=2e-3)


class Finder(nn.Sequential):
    """A small classifier, for red squares."""

    def __init__(self) -> None:
        layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, 1, 1), nn.ReLU()]
        super().__init__(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(16, 2))


def scene(random: np.random.Generator, square: bool) -> tuple[np.ndarray, np.ndarray]:
    """RGB noise with grey and green squares, and perhaps a red one, (64, 64, 3); and where the red one is."""
    image = random.normal(110, 25, (64, 64, 3))
    where = np.zeros((64, 64), bool)
    colours = [(150, 150, 150), (40, 200, 60), *([(220, 40, 40)] if square else [])]
    for i, colour in enumerate(colours):
        x, y = random.integers(0, 48, 2)
        image[y : y + 14, x : x + 14] = np.array(colour) + random.normal(0, 10, (min(14, 64 - y), min(14, 64 - x), 3))
        if i == 2:
            where[y : y + 14, x : x + 14] = True
    return image.clip(0, 255).astype(np.uint8), where


@pytest.fixture(scope="module")
def finder() -> nn.Module:
    """Trained for a few seconds to tell whether a red square is there."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    labels = torch.arange(64) % 2
    x = np.stack([scene(random, bool(label))[0] for label in labels])
    x = torch.from_numpy(x).permute(0, 3, 1, 2).float() / 255
    model = Finder()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(60):
        loss = nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    return model.eval()


@pytest.mark.parametrize("method", METHODS)
def test_a_trained_model_looks_at_the_object(method: str, finder: nn.Module, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    scenes = [scene(random, True) for _ in range(4)]
    files = []
    for i, (image, _) in enumerate(scenes):
        files.append(tmp_path / f"{i}.png")
        cv2.imwrite(str(files[-1]), image[..., ::-1])
    before = copy.deepcopy(finder.state_dict())
    found = yolo_plugins.heatmap({"finder": finder}, files, ["4"], method=method, imgsz=64)
    assert found.columns == [("finder", "4")]
    for (heat,), (_, where) in zip(found.maps, scenes, strict=True):
        assert heat[where].mean() > 2 * heat[~where].mean()
    assert all(torch.equal(a, b) for a, b in zip(before.values(), finder.state_dict().values(), strict=True))
    assert not any(module._forward_hooks for module in finder.modules())
    assert all(parameter.requires_grad for parameter in finder.parameters())


@pytest.mark.parametrize(("task", "row"), [("detect", 20), ("segment", 0), ("classify", 0)])
@pytest.mark.parametrize("method", ["eigencam", "layercam"])
def test_models_of_each_task_are_looked_into_by_row(task: str, row: int, method: str, images: Path) -> None:
    found = yolo_plugins.heatmap(DATA / f"0.1.0-{task}.pt", images, [row, row + 1], method=method, imgsz=96)
    assert [name.split()[0] for _, name in found.columns] == [str(row), str(row + 1)]
    for image, maps in zip(found.images, found.maps, strict=True):
        assert [heat.shape for heat in maps] == [image.shape[:2]] * 2
        assert all((heat.min(), heat.max()) == (0, 1) for heat in maps) or method != "eigencam"
    assert max(float(heat.max()) for maps in found.maps for heat in maps) == 1


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("name", ["yolo26n.yaml", "rtdetr-l.yaml"])
def test_gradients_reach_the_rows_of_heads_of_other_kinds(name: str, images: Path) -> None:
    torch.manual_seed(0)
    found = yolo_plugins.heatmap(yolo(name), images / "0.png", method="hirescam", imgsz=64)
    assert len(found.columns) == 3
    assert max(float(heat.max()) for heat in found.maps[0]) == 1


@pytest.mark.usefixtures("patched")
def test_a_model_with_blocks_replaced_is_looked_into_as_well(images: Path) -> None:
    torch.manual_seed(0)
    plain = yolo("yolov8n.yaml")
    swapped = copy.deepcopy(plain.model)
    yolo_plugins.replace(swapped, "GhostConv")
    found = yolo_plugins.heatmap({"plain": plain, "swapped": swapped}, images, imgsz=96)
    assert [model for model, _ in found.columns] == ["plain"] * 3 + ["swapped"] * 3
    assert [layer.split()[0] for _, layer in found.columns] == ["15", "18", "21"] * 2
    assert np.abs(found.maps[0][0] - found.maps[0][3]).max() > 0.05


def test_the_command_draws_the_same_picture_again(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [str(DATA / f"0.1.0-{task}.pt") for task in ("detect", "segment")]
    files = [tmp_path / f"{i}.png" for i in range(2)]
    for file in files:
        assert (
            main(["heatmap", *models, "--images", str(images), "--layers", "1", "-o", str(file), "--imgsz", "96"]) == 0
        )
    assert "2 images, 2 maps of each, by eigencam" in capsys.readouterr().out
    assert files[0].read_bytes() == files[1].read_bytes()
    # The image itself in the first column, with colours over it in one for each model.
    picture, image = cv2.imread(str(files[0])), cv2.imread(str(images / "0.png"))
    wide = (picture.shape[1] - 36) // 3
    panels = [picture[126 : 126 + wide, 18 + i * wide : 18 + (i + 1) * wide - 12] for i in range(3)]
    far = [np.abs(cv2.resize(image, panel.shape[1::-1]).astype(int) - panel).mean() for panel in panels]
    assert far[0] < 12 < 24 < min(far[1:])


def test_two_checkpoints_of_one_name_are_told_apart_by_their_folders(images: Path, tmp_path: Path) -> None:
    for run in ("ghost", "lite"):
        (tmp_path / run / "weights").mkdir(parents=True)
        (tmp_path / run / "weights" / "best.pt").write_bytes((DATA / "0.1.0-detect.pt").read_bytes())
    models = [tmp_path / run / "weights" / "best.pt" for run in ("ghost", "lite")]
    found = yolo_plugins.heatmap(models, images / "0.png", [2], imgsz=64)
    assert [name for name, _ in found.columns] == ["ghost/best.pt", "lite/best.pt"]


SENTENCES = {
    "no-such.pt --images . -o h.png": "no-such.pt does not exist",
    "best.pt --images missing -o h.png": "missing is neither an image nor a folder of images",
    "best.pt --images text.txt -o h.png": "text.txt cannot be read as an image",
    "best.pt --images 0.png -o h.jpg": "h.jpg must end in .svg, .pdf or .png",
    "best.pt --images 0.png -o h.png --layers 99": "layer 99: best.pt has rows 0 to ",
    "best.pt --images 0.png -o h.png --layers nose": "best.pt has no layer 'nose'; give a row's number or",
    "best.pt --images 0.png -o h.png --layers -1": "gives no single map; choose one that gives maps",
    "best.pt --images 0.png -o h.png --method scam": "method 'scam' is unknown; there are eigencam, gradcam",
    "best.pt --images 0.png -o h.png --imgsz 8": "imgsz=8 must be at least 32",
    "best.pt --images 0.png -o h.png --count 0": "--count 0 must be at least 1",
}


@pytest.mark.parametrize("given", SENTENCES)
def test_what_has_no_heat_map_is_said_in_a_sentence(
    given: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "best.pt").write_bytes((DATA / "0.1.0-detect.pt").read_bytes())
    (tmp_path / "0.png").write_bytes((images / "0.png").read_bytes())
    (tmp_path / "text.txt").write_text("words")
    monkeypatch.chdir(tmp_path)
    assert main(["heatmap", *given.split()]) == 1
    said = capsys.readouterr().err
    assert SENTENCES[given] in said
    assert said.count("\n") == 1
    assert not list(tmp_path.glob("h.*"))


def test_without_grad_cam_one_sentence_says_how_to_install_it(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    assert main(["heatmap", str(DATA / "0.1.0-detect.pt"), "--images", str(images), "-o", str(images / "h.png")]) == 1
    assert "pip install 'yolo-plugins[heatmap]'" in capsys.readouterr().err


def test_a_plain_module_asks_for_its_layers(images: Path) -> None:
    with pytest.raises(ValueError, match="Finder has no rows of a model YAML: say which layers"):
        yolo_plugins.heatmap(Finder(), images)
    network = load(DATA / "0.1.0-detect.pt")[0]
    found = yolo_plugins.heatmap(network, images / "0.png", ["model.0.0.conv"], imgsz=64)
    assert found.columns[0][1] == "model.0.0.conv"
