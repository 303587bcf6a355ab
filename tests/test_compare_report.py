"""The report's files from hand-made rows, and the page in a real browser."""

import csv
import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
from comparison_rows import EIGHT, ROWS, reduced
from yolo_plugins.comparing import Budget
from yolo_plugins.comparing.candidates import Candidate
from yolo_plugins.comparing.machine import adds_in_32_bits, instruction_sets
from yolo_plugins.comparing.models import Model
from yolo_plugins.comparing.report import write

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--virtual-time-budget=5000",
    "--window-size=1400,1000",
)  # fmt: skip
HOSTILE = "<img src=x onerror=problems.push(1)>"


def made(folder: Path, rows: list[dict]) -> Path:
    """A report of these rows, whose models yolov8n and ghost were trained."""
    models = []
    for name in dict.fromkeys(row["model"] for row in rows):
        candidate = Candidate(name, name, Path("x.pt" if name in ("yolov8n", "ghost") else "x.yaml"))
        own = folder / "measured" / candidate.stem
        own.mkdir(parents=True)
        noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
        cv2.imwrite(str(own / "picture0.jpg"), noise)
        models.append(Model(candidate, {}, own, ""))
    facts = {"command": "yolo-plugins <compare>", "instruction sets": "AVX2 (without AMX)"}
    write(rows, models, Budget(), facts, folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of five models, of which two were trained, one with a name that is a trap."""
    rows = [row | {"model": HOSTILE} if row["model"] == "shuffle" else row for row in ROWS]
    return made(tmp_path_factory.mktemp("report"), rows)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of seven models with long names in two formats and all precisions: as many columns as there can be."""
    rows = []
    for row in EIGHT[:4]:
        for i in range(7):
            own = {"model": f"ultralytics-ghost-{i}" if i else "yolov8n", "memory_mb": 312.0, "boxes_px": 0.02}
            rows += [row | own | {"format": form} for form in ("onnx", "openvino")]
    speeds = {"speedup": 1.4, "speedup_low": 1.3, "speedup_high": 1.5, "network_speedup": 1.4}
    rows.append(
        reduced("yolov8n", "openvino", 16, "default", 1.4, 9.0, 0.4)
        | speeds
        | {"network_speedup_low": 1.3, "network_speedup_high": 1.5}
    )
    return made(tmp_path_factory.mktemp("wide"), rows)


def test_the_plots_are_images_with_something_on_them(folder):
    plots = sorted(folder.glob("*.png"))
    assert [plot.stem for plot in plots] == ["costs", "latency", "predictions"]
    for image in (cv2.imread(str(plot)) for plot in plots):
        assert min(image.shape[:2]) > 200
        assert len(np.unique(image.reshape(-1, 3), axis=0)) > 10


def test_the_tables_hold_the_rows(folder):
    rows = json.loads((folder / "results.json").read_text())["rows"]
    assert [row["speedup"] for row in rows] == [row["speedup"] for row in ROWS]
    read = list(csv.DictReader((folder / "results.csv").open(encoding="utf-8")))
    assert [row["ms"] for row in read] == ["20.0", "22.0", "15.0", "20.2", "5.0", "", "", "6.5"]


def test_the_markdown_opens_with_the_answer_and_ends_with_how_it_was_measured(folder):
    text = (folder / "report.md").read_text()
    assert text.index("The most accurate is") < text.index("| model |") < text.index("## How it was measured")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines[: len(ROWS) + 2]}) == 1
    assert "| ghost | ok | wrong | – |" in text


def test_the_latex_table_has_the_rules_of_booktabs_and_a_row_for_each(folder):
    lines = (folder / "table.tex").read_text().splitlines()
    assert lines[0].startswith(r"\begin{tabular}{l")
    assert [lines.index(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 3, 4 + len(ROWS)]
    columns = {line.count("&") for line in [lines[2], *lines[4:-2]]}
    assert columns == {len(re.findall("[lr]", lines[0].rpartition("{")[2])) - 1}
    assert r"3.10$\times$" in lines[-3]
    assert r"\ensuremath{<}img src=x onerror=problems.push(1)\ensuremath{>} & ONNX Runtime" in lines[6]


def test_the_page_refers_to_nothing_outside_itself_and_its_names_are_escaped(folder):
    text = (folder / "report.html").read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']*""", text)
    assert not re.findall(r"@import|url\((?!#)", text)
    assert "yolo-plugins &lt;compare&gt;" in text
    assert "<img src=x" not in text


def test_the_report_of_fewer_bits_names_the_processors_instructions(wide):
    answer = json.loads((wide / "results.json").read_text())["answer"]
    assert answer[-1] == "What fewer bits bring depends on the processor; this one has AVX2 (without AMX)."


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("fpu avx2 avx512f avx512_vnni", "AVX2, AVX-512, AVX-512 VNNI (without AVX-VNNI, bfloat16, "),
        ("fpu avx2", "AVX2 (without AVX-512, "),
        ("fp asimd asimddp", "NEON, dotprod (without 16-bit floats, i8mm, bfloat16)"),
        ("", "what could not be read here"),
    ],
)
def test_instruction_sets_are_read_from_the_processors_flags(flags, said):
    """And with them, whether products of 8 bits may overflow."""
    assert instruction_sets(flags).startswith(said)
    assert adds_in_32_bits(flags) is (flags != "fpu avx2")


SCRIPT = """
    const column = number => [...document.querySelectorAll("tbody tr")].map(row => row.cells[number].textContent);
    const heads = [...document.querySelectorAll("th")].map(head => head.textContent);
    const ms = heads.indexOf("ms");
    const click = number => document.querySelectorAll("th button")[number].click();
    const sizes = selector => [...document.querySelectorAll(selector)].map(x => x.getBoundingClientRect())
        .map(box => [Math.round(box.width), Math.round(box.height)]);
    click(ms); const up = column(ms);
    click(ms); const down = column(ms);
    const order = document.querySelectorAll("th")[ms].getAttribute("aria-sort");
    click(0);
    const light = text => {
        const parts = text.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255);
        const [r, g, b] = parts.map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = element => {
        const colour = getComputedStyle(element).backgroundColor;
        return colour.endsWith(", 0)") ? ground(element.parentElement) : colour;
    };
    const faint = [], out = [];
    for (const element of document.querySelectorAll("main *")) {
        const box = element.getBoundingClientRect();
        if (!box.width || element.closest("[hidden]")) continue;
        if (box.right > innerWidth + 1) out.push(element.tagName + " " + element.textContent.slice(0, 30));
        if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
        const style = getComputedStyle(element);
        const [a, b] = [light(element instanceof SVGElement ? style.fill : style.color), light(ground(element))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) faint.push(contrast.toFixed(2) + " " + element.textContent.slice(0, 30));
    }
    document.querySelectorAll("[data-copies]")[1].click();
    await new Promise(done => setTimeout(done, 500));
    return {
        up, down, order, names: column(0), faint, out, ground: getComputedStyle(document.body).backgroundColor,
        plots: sizes(".plots svg"), photos: sizes(".gallery img"),
        unnamed: [...document.querySelectorAll("img, svg")]
            .filter(x => !(x.alt || x.getAttribute("aria-label"))).length,
        paths: document.querySelectorAll(".plots svg path").length,
        scrolling: [...document.querySelectorAll("*")].filter(x => x.scrollWidth > x.clientWidth + 1
            && ["auto", "scroll"].includes(getComputedStyle(x).overflowX)).length,
        page: document.documentElement.scrollWidth, window: innerWidth,
        best: [...document.querySelectorAll(".best")].map(cell => cell.firstChild.textContent),
        taken, copied: document.querySelector("[role=status]").textContent,
        copies: [...document.querySelectorAll("textarea")].map(area => area.value),
    };
"""


def opened(folder: Path, tmp_path: Path, width: int, dark: bool) -> dict:
    """What the script finds in the page, run after the page's own; errors and console messages are among it.

    The page is in a frame, since a browser's window is never as narrow as a phone.
    """
    early = (
        "<script>window.problems = [];"
        "window.onerror = message => { problems.push(String(message)); };"
        # Without a person's click the clipboard is closed.
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async text => { window.taken = text; }}});"
        "for (const kind of ['error', 'warn']) console[kind] = (...words) => problems.push(words.join(' '));</script>"
    )
    late = (
        f"<script>(async () => {{ {SCRIPT} }})().then(found => {{"
        "parent.document.title = 'R' + encodeURIComponent(JSON.stringify({...found, problems})); },"
        "error => { parent.document.title = 'R' + encodeURIComponent(JSON.stringify({problems: [String(error)]})); });"
        "</script>"
    )
    text = (folder / "report.html").read_text().replace("<head>", f"<head>{early}").replace("</body>", f"{late}</body>")
    page = tmp_path / "page.html"
    frame = f'<iframe style="width:{width}px;height:900px;border:0" srcdoc="{html.escape(text)}"></iframe>'
    page.write_text(f"<title></title>{frame}")
    flags = [*FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    flags += ["--blink-settings=preferredColorScheme=0"] * dark
    run = subprocess.run([str(CHROMIUM), *flags, page.as_uri()], capture_output=True, text=True, timeout=120)
    (title,) = re.findall(r"<title>R(.*?)</title>", run.stdout)
    return json.loads(unquote(title))


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (400, True)], ids=["desktop by day", "phone by night"])
def test_the_page_sorts_its_table_shows_its_pictures_and_can_be_read(folder, tmp_path, width, dark):
    found = opened(folder, tmp_path, width, dark)
    assert found["problems"] == []
    times = ["5.0", "6.5", "15.0", "20.0", "20.2", "22.0"]
    assert [re.match(r"–|\d+\.\d", cell)[0] for cell in found["up"]] == [*times, "–", "–"]
    assert [re.match(r"–|\d+\.\d", cell)[0] for cell in found["down"]] == [*reversed(times), "–", "–"]
    assert found["order"] == "descending"
    assert HOSTILE in found["names"]
    assert (len(found["plots"]), len(found["photos"]), found["unnamed"]) == (2, 2, 0)
    assert all(w > 200 and h > 150 for w, h in found["plots"])
    assert all(w > 100 and h > 60 for w, h in found["photos"])
    assert found["paths"] > 20
    assert (found["window"], found["faint"], found["out"]) == (width, [], [])
    assert found["ground"] == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")
    assert "0.400" in found["best"]
    assert "0.500" not in found["best"]  # that file is wrong
    assert (found["copied"], found["taken"]) == ("Copied.", found["copies"][1])
    assert found["copies"] == [
        next(part for part in (folder / "report.md").read_text().split("\n\n") if part.startswith("| model |")),
        (folder / "table.tex").read_text().strip(),
    ]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH")
@pytest.mark.parametrize("width", [1280, 400])
def test_the_widest_table_fits_without_scrolling_sideways(wide, tmp_path, width):
    found = opened(wide, tmp_path, width, dark=False)
    assert (found["problems"], found["out"], found["scrolling"]) == ([], [], 0)
    assert found["page"] <= found["window"] == width
