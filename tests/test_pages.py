"""Every command and program on the pages runs as a reader runs it, in small: one epoch, 64 pixels, drawn images."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Environment

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^ *```(bash|console|python)\n(.*?)^ *```", re.S | re.M)
CELL = re.compile(r"^\|.*?\| `(yolo(?:-plugins)? [^`]*)` \|", re.M)

SMALL = ("epochs=1", "imgsz=64", "batch=4", "workers=0", "plots=False", "amp=False", "device=cpu")
"""What is said to `yolo train`, and to the training in other commands, in place of what the page says."""
OPTIONS = {
    "yolo train": SMALL,
    "yolo classify": SMALL,
    "yolo val": ("imgsz=64", "workers=0", "plots=False", "device=cpu"),
    "yolo-plugins compare": ("--rounds", "1", "--imgsz", "64"),
    "yolo-plugins ablate": ("--rounds", "1", "--seeds", "1", *SMALL),
    "yolo-plugins transplant": ("--block-steps", "2", "--joint-steps", "2", "--batch", "2"),
    "yolo-plugins yaml": ("--force",),
    "yolo-plugins search": ("--imgsz", "64", "--rounds", "3", "--force"),
}
"""What commands are given to be quick."""
REPLACED = {
    r"\b(640|320)\b": "64",
    r"--budget-ms \d+": "--faster 1.1",  # a time depends on the machine
    r"--max-drop [\d.]+": "--max-drop 1",  # networks here are hardly trained
    r"--max-ms 30 --max-mb 4 --min-map 0.35": "--max-ms 30000 --max-mb 40 --min-map 0",
    "--train epochs=100": "--train epochs=1 batch=4 workers=0 device=cpu",
    "--formats torch .* mnn": "--formats torch mnn",
    "--formats onnx openvino ncnn": "--formats onnx",  # every format is compared in tests/test_compare.py
    r"--seeds 0 1 2|--seeds \d": "--seeds 1",
    r'train={"epochs": 100}': 'seeds=1, rounds=1, train=dict(epochs=1, imgsz=64, batch=4, workers=0, device="cpu")',
}
ELSEWHERE = {
    "pip install": "installing, which .ci/run does",
    "python demo/start.py": "makes an environment beside the clone",
    "python tests/": "the tests and benchmarks",
    "stock=": "a benchmark's argument",
    "ruff check": "the tests",
    "yolo train model=MODEL": "what the models of a table were trained by",
    "yolo-plugins init": "fetches weights",
}
"""Commands that are not run here, and why; so are lines of a program with `pretrained=True`, which fetch weights."""
BEFORE = {
    "swap.md": """
from ultralytics import YOLO
import torch
teacher = YOLO("yolov8n.pt").model.float()
batches = lambda: torch.rand(2, 3, 64, 64)
"""
}
"""What a page's programs suppose to be there."""


FILES = {"draw.md": ("mine.yaml", ROOT / "model_yamls" / "yolov8-ghost.yaml"), "networks.md": ("init.pt", "light.pt")}
"""A file that a page's commands suppose to be there, and what is put in its place."""


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of what a page shows to be run; commands in a table's cells are a block as well."""
    text = page.read_text(encoding="utf-8")
    cells = "\n".join(CELL.findall(text))
    return FENCE.findall(text) + [("bash", cells)] * bool(cells)


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a block that are run here, small."""
    for line in text.replace("\\\n", " ").splitlines():
        for pattern, small in REPLACED.items():
            line = re.sub(pattern, small, line)
        words = shlex.split(line, comments=True)
        if words and not any(" ".join(words).startswith(start) for start in ELSEWHERE):
            assert words[0] in ("yolo", "yolo-plugins"), f"what is {line.strip()!r}?"
            options = OPTIONS.get(" ".join(words[:2]), ())
            given = {option.partition("=")[0] for option in options if "=" in option}
            yield [*(word for word in words if word.partition("=")[0] not in given), *options]


@pytest.fixture(scope="module")
def given(active: Environment, shapes: Path, folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that pages speak of: data, images, and trained checkpoints."""
    folder = tmp_path_factory.mktemp("given")
    for name in ("data", "coco8", "coco8-seg", "bccd"):
        (folder / f"{name}.yaml").write_text(shapes.read_text(encoding="utf-8"))
    shutil.copytree(folders, folder / "mnist160")
    images = sorted((shapes.parent / "images" / "train").glob("*.jpg"))
    for name in ("folder", "images"):
        shutil.copytree(images[0].parent, folder / name)
    for name in ("image", "a", "b"):
        shutil.copy(images[0], folder / f"{name}.jpg")
    for model, names in (("yolov8n", ("yolov8n", "best", "stock")), ("yolov8n-ghost", ("light", "other"))):
        words = ("yolo", "train", f"model={model}.yaml", "data=data.yaml", *SMALL, f"project={folder}/first", "name=t")
        active.run(*words, "exist_ok=True", cwd=folder)
        for name in names:
            shutil.copy(folder / "first" / "t" / "weights" / "last.pt", folder / f"{name}.pt")
    for task in ("detect", "classify"):
        (folder / "runs" / task / "train" / "weights").mkdir(parents=True)
        shutil.copy(folder / "light.pt", folder / "runs" / task / "train" / "weights" / "best.pt")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks(page) and ".zh." not in page.name],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_what_a_page_shows_runs(page: Path, active: Environment, given: Path, tmp_path: Path) -> None:
    """In a copy of that folder, one after another."""
    folder = tmp_path / "here"
    shutil.copytree(given, folder)
    if page.name in FILES:
        name, source = FILES[page.name]
        shutil.copy(folder / source, folder / name)
    for language, text in blocks(page):
        if language == "python":
            for pattern, small in REPLACED.items():
                text = re.sub(pattern, small, text)
            lines = [line for line in text.splitlines() if "pretrained=True" not in line]
            active.run("python", "-c", BEFORE.get(page.name, "") + "\n".join(lines), cwd=folder, YOLO_PLUGINS="1")
        else:
            for words in commands(text):
                active.run(*words, cwd=folder, timeout=1200)


def test_the_chinese_pages_show_the_same_commands() -> None:
    """So what was run is what they say."""
    for page in PAGES:
        if page.name.endswith(".zh.md"):
            english = page.with_name(page.name.replace(".zh", ""))
            shown = [[line.split("#")[0].strip() for line in text.splitlines()] for _, text in blocks(english)]
            assert [[line.split("#")[0].strip() for line in text.splitlines()] for _, text in blocks(page)] == shown, (
                page.name
            )
