"""The demo's dataset: the same for the same seed, exact labels, and nothing half-written."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from yolo_plugins.demo import dataset


def drawn(i: int, size: int = 160) -> tuple[np.ndarray, list[dataset.Shape]]:
    return dataset.draw(size, np.random.default_rng([0, i]))


def test_the_same_seed_draws_the_same(tmp_path: Path) -> None:
    def written(name: str, seed: int) -> dict[str, bytes]:
        folder = dataset.write(tmp_path / name, train=2, val=1, size=64, seed=seed).parent
        return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*/*/*")}

    first = written("a", 5)
    assert len(first) == 6, "three images and their labels"
    assert written("b", 5) == first
    assert written("c", 6) != first


@pytest.mark.parametrize("i", range(6))
def test_polygons_cover_what_is_visible_and_do_not_overlap(i: int, monkeypatch: pytest.MonkeyPatch) -> None:
    outlines: list[np.ndarray] = []  # exact ones, before they are made simpler
    simplify = cv2.approxPolyDP
    monkeypatch.setattr(
        cv2, "approxPolyDP", lambda line, *how, **to: outlines.append(line) or simplify(line, *how, **to)
    )
    _, shapes = drawn(i)
    side, scale = 160 * dataset.SUPERSAMPLING, dataset.SUPERSAMPLING
    masks = [cv2.fillPoly(np.zeros((side, side), np.uint8), [outline], 1) for outline in outlines]
    assert len(shapes) == len(masks) >= 1
    assert not (np.sum(masks, axis=0) > 1).any()
    for shape, mask in zip(shapes, masks, strict=True):
        rows, columns = np.nonzero(mask)
        extent = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / scale
        assert np.abs(np.array(shape.box) - extent).max() <= 0.5, "the box is the visible part's, within half a pixel"
        filled = cv2.fillPoly(np.zeros_like(mask), [np.round(shape.polygon * scale - 0.5).astype(np.int32)], 1)
        assert (filled & mask).sum() / (filled | mask).sum() > 0.95


def test_all_classes_and_many_sizes_occur() -> None:
    shapes = [shape for i in range(30) for shape in drawn(i)[1]]
    assert {shape.label for shape in shapes} == set(range(len(dataset.CLASSES)))
    widths = [shape.box[2] - shape.box[0] for shape in shapes]
    assert min(widths) < 20
    assert max(widths) > 60


def test_labels_are_within_the_image_and_in_ultralytics_format(tmp_path: Path) -> None:
    description = yaml.safe_load(dataset.write(tmp_path / "d", train=3, val=1, size=96).read_text())
    assert description["names"] == dict(enumerate(dataset.CLASSES))
    for file in (tmp_path / "d" / "labels").rglob("*.txt"):
        for line in file.read_text().splitlines():
            label, *numbers = line.split()
            assert int(label) in description["names"]
            assert len(numbers) >= 6
            assert len(numbers) % 2 == 0
            assert all(0 <= float(v) <= 1 for v in numbers)


def test_an_interrupted_drawing_leaves_what_was_there(tmp_path: Path) -> None:
    data = dataset.write(tmp_path / "d", train=1, val=1, size=64)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    def interrupt(done: int, _: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dataset.write(tmp_path / "d", train=2, val=1, size=64, seed=1, progress=interrupt)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert data.is_file()


@pytest.mark.parametrize(
    ("arguments", "message"), [({"train": 0}, "train=0"), ({"val": 0}, "val=0"), ({"size": 32}, "size=32 is too small")]
)
def test_a_dataset_that_cannot_be_is_refused(arguments: dict[str, int], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        dataset.write(tmp_path / "d", **arguments)
