"""The report's files from hand-made rows, and the page in a real browser."""

import csv
import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
from comparison_rows import ROWS
from yolo_plugins.comparing import Budget
from yolo_plugins.comparing.candidates import Candidate
from yolo_plugins.comparing.models import Model
from yolo_plugins.comparing.report import write

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--virtual-time-budget=3000",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of four models, of which two were trained."""
    folder = tmp_path_factory.mktemp("report")
    models = []
    for name in dict.fromkeys(row["model"] for row in ROWS):
        own = folder / "measured" / name
        own.mkdir(parents=True)
        cv2.imwrite(str(own / "picture0.jpg"), np.random.default_rng(0).integers(0, 255, (240, 320, 3)))
        file = Path("x.pt" if name in ("yolov8n", "ghost") else "x.yaml")
        models.append(Model(Candidate(name, str(file), file), {}, own, ""))
    write(ROWS, models, Budget(), {"command": "yolo-plugins <compare>"}, folder)
    return folder


def test_the_plots_are_images_with_something_on_them(folder):
    plots = sorted(folder.glob("*.png"))
    assert [plot.stem for plot in plots] == ["costs", "latency-ncnn", "latency-onnx", "predictions"]
    for image in (cv2.imread(str(plot)) for plot in plots):
        assert min(image.shape[:2]) > 200
        assert len(np.unique(image.reshape(-1, 3), axis=0)) > 10


def test_the_tables_hold_the_rows(folder):
    assert json.loads((folder / "results.json").read_text())["rows"] == ROWS
    rows = list(csv.DictReader((folder / "results.csv").open(encoding="utf-8")))
    assert [row["ms"] for row in rows] == ["20.0", "22.0", "15.0", "20.2", "5.0", "", ""]


def test_the_markdown_opens_with_the_answer_and_ends_with_how_it_was_measured(folder):
    text = (folder / "report.md").read_text()
    assert text.index("Most accurate for each time") < text.index("| model |") < text.index("## How it was measured")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines[: len(ROWS) + 2]} == {13}
    assert "| ghost | ok | wrong | – |" in text


def test_the_page_refers_to_nothing_outside_itself_and_its_names_are_escaped(folder):
    text = (folder / "report.html").read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']*""", text)
    assert not re.findall(r"@import|url\((?!#)", text)
    assert "yolo-plugins &lt;compare&gt;" in text


SCRIPT = """
    const column = number => [...document.querySelectorAll("tbody tr")].map(row => row.cells[number].textContent);
    const click = number => document.querySelectorAll("th button")[number].click();
    const sizes = selector => [...document.querySelectorAll(selector)].map(x => x.getBoundingClientRect())
        .map(box => [Math.round(box.width), Math.round(box.height)]);
    click(8); const up = column(8);
    click(8); const down = column(8);
    const order = document.querySelectorAll("th")[8].getAttribute("aria-sort");
    click(0);
    return {
        up, down, order, names: column(0),
        plots: sizes(".grid svg"), bars: sizes(".wide svg"), photos: sizes(".gallery img"),
        paths: document.querySelectorAll(".grid svg path").length,
        page: document.documentElement.scrollWidth, window: innerWidth,
        best: [...document.querySelectorAll(".best")].map(cell => cell.textContent),
    };
"""


def opened(folder: Path, tmp_path: Path, width: int) -> dict:
    """What the script finds in the page, run after the page's own; errors and console messages are among it."""
    early = (
        "<script>window.problems = [];"
        "window.onerror = message => { problems.push(String(message)); };"
        "for (const kind of ['error', 'warn']) console[kind] = (...words) => problems.push(words.join(' '));</script>"
    )
    late = (
        f"<script>const found = (() => {{ {SCRIPT} }})();"
        "document.title = 'R' + encodeURIComponent(JSON.stringify({...found, problems}));</script>"
    )
    text = (folder / "report.html").read_text().replace("<head>", f"<head>{early}").replace("</body>", f"{late}</body>")
    page = tmp_path / "page.html"
    page.write_text(text)
    flags = [*FLAGS, f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900", "--dump-dom"]
    run = subprocess.run([str(CHROMIUM), *flags, page.as_uri()], capture_output=True, text=True, timeout=120)
    (title,) = re.findall(r"<title>R(.*?)</title>", run.stdout)
    return json.loads(unquote(title))


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")
@pytest.mark.parametrize("width", [1280, 500], ids=["desktop", "phone"])
def test_the_page_sorts_its_table_shows_its_pictures_and_nothing_sticks_out(folder, tmp_path, width):
    found = opened(folder, tmp_path, width)
    assert found["problems"] == []
    times = ["5.0", "15.0", "20.0", "20.2", "22.0"]
    assert [cell.split()[0] for cell in found["up"]] == [*times, "–", "–"]
    assert [cell.split()[0] for cell in found["down"]] == [*reversed(times), "–", "–"]
    assert found["order"] == "descending"
    assert found["names"] == sorted(found["names"])
    assert (len(found["plots"]), len(found["photos"])) == (2, 2)
    assert all(w > 200 and h > 150 for w, h in [*found["plots"], *found["bars"]])
    assert all(w > 100 and h > 60 for w, h in found["photos"])
    assert found["paths"] > 20
    assert found["page"] <= found["window"]
    assert "0.400" in found["best"]
    assert "0.500" not in found["best"]  # that file is wrong
