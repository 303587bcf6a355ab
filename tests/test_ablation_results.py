"""What an ablation's runs show, as tables: spreads, what is beyond chance, ticks; and the command from end to end."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import yolo_plugins as yp
from yolo_plugins import cli
from yolo_plugins.ablating import ablation as ablation_module
from yolo_plugins.ablating import table
from yolo_plugins.ablating.report import write
from yolo_plugins.ablating.results import Ablation, rows
from yolo_plugins.ablating.variants import Variant
from yolo_plugins.training.series import Run, result

LABELS = ("my_base", "+ ghost", "+ ghost + c2f-1.5")
TIME = {"params": 3_011_628, "gflops": 0.0819, "runtime": "ONNX Runtime", "state": "ok", "network_ms": 1.482}
FASTER = {"network_speedup": 1.5, "network_speedup_low": 1.4, "network_speedup_high": 1.61}
SCORES = {
    "clear": ([0.40, 0.41, 0.42], [0.50, 0.51, 0.53], [0.60, 0.62, 0.63]),
    "noise": ([0.40, 0.41, 0.42], [0.39, 0.43, 0.42], [0.42, 0.40, 0.43]),
    "one seed": ([0.40], [0.50], [0.60]),
}


def ablation(scores: str, task: str = "detect") -> Ablation:
    """A finished one of three models, with these accuracies by seed."""
    names = ("ghost", "c2f-1.5")
    models = [Variant(names[:i], label, f"{i}.yaml", "", task, 32) for i, label in enumerate(LABELS)]
    runs = [
        {seed: {"val": {"map": value, "map50": value + 0.2}, "best epoch": 3} for seed, value in enumerate(values)}
        for values in SCORES[scores]
    ]
    wrong = {"state": "wrong", "reason": "boxes differ by 9 px from torch's"}
    times = [TIME, TIME | FASTER | wrong, TIME | {"network_ms": None}]
    return Ablation(rows(models, runs, times), list(names), task, 64, 50, 1, {"data": "x.yaml"})


@pytest.mark.parametrize(
    ("scores", "verdicts", "best"),
    [
        ("clear", [None, True, True], [False, False, True]),
        ("noise", [None, False, False], [False] * 3),
        ("one seed", [None, None, None], [False] * 3),
    ],
)
def test_only_what_the_seeds_show_is_called_beyond_chance_and_best(
    scores: str, verdicts: list[bool | None], best: list[bool]
) -> None:
    found = ablation(scores)
    assert [row["beyond_chance"] for row in found.rows] == verdicts
    assert [row["best_map"] for row in found.rows] == best
    assert ("**" in table.markdown(found)) is any(best)
    assert ("Bold: better than every other model" in " ".join(table.notes(found))) is any(best)


def test_the_markdown_has_ticks_spreads_intervals_and_notes() -> None:
    lines = table.markdown(ablation("clear")).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == [
        *("model", "ghost", "c2f-1.5", "params, M", "GFLOPs", "ms, ONNX Runtime", "times as fast"),
        *("mAP50", "mAP50-95", "beside my_base", "beyond chance"),
    ]
    assert cells[2] == ["my_base", "", "", "3.01", "0.08", "1.48", "", "0.610 ± 0.010", "0.410 ± 0.010", "", ""]
    assert cells[3][1:3] == ["✓", ""]
    assert cells[3][-2] == "+0.103 [+0.089, +0.118]"
    assert cells[3][6] == "1.50× [1.40, 1.61]"
    assert cells[4][5:7] == ["–", ""], "what was not timed"
    assert "+ ghost as it was timed: wrong: boxes differ by 9 px from torch's." in table.notes(ablation("clear"))


def test_one_seed_says_that_nothing_can_be_said() -> None:
    found = ablation("one seed")
    assert "± " not in table.markdown(found)
    assert "| +0.100 | one seed |" in table.markdown(found)
    assert any("whether a difference is more than chance cannot be said" in note for note in table.notes(found))


def test_other_tasks_have_other_measures() -> None:
    assert "| mask mAP50 | mask mAP50-95 |" in table.markdown(ablation("clear", "segment"))
    assert "| top-5 | top-1 |" in table.markdown(ablation("clear", "classify"))


def test_the_files_hold_the_same_figures(tmp_path: Path) -> None:
    found = ablation("noise")
    write(found, tmp_path)
    with open(tmp_path / "results.csv", encoding="utf-8") as file:
        flat = list(csv.DictReader(file))
    assert [(line["model"], line["ghost"], line["c2f-1.5"]) for line in flat] == [
        (LABELS[0], "0", "0"),
        (LABELS[1], "1", "0"),
        (LABELS[2], "1", "1"),
    ]
    kept = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert kept["rows"] == found.rows
    assert [float(line["map"]) for line in flat] == [row["map"] for row in kept["rows"]]
    assert kept["rows"][1]["by_seed"]["1"]["val"]["map"] == 0.43
    assert table.markdown(found) in (tmp_path / "report.md").read_text(encoding="utf-8")


TABULAR = re.compile(r"\\begin\{tabular\}\{([lcr]+)\}\n(.*)\\end\{tabular\}\n$", re.S)
COMMANDS = {"toprule", "midrule", "bottomrule", "checkmark", "pm", "textbf", "times", "Delta", "_", "%", "&", "\\"}


def parsed(latex: str) -> list[list[str]]:
    """The cells of a LaTeX table; whatever would not compile fails."""
    body = "".join(line for line in latex.splitlines(keepends=True) if not line.startswith("%"))
    found = TABULAR.fullmatch(body)
    assert found is not None, body
    inside = found[2]
    assert set(re.findall(r"\\([a-zA-Z]+|.)", inside)) <= COMMANDS
    plain = re.sub(r"\\.", "", inside)
    assert plain.count("{") == plain.count("}")
    assert plain.count("$") % 2 == 0
    assert not set(plain) & set("_#%~^")
    assert plain.isascii(), plain
    lines = [line for line in inside.replace("\\\\\n", "\n").splitlines() if not line.endswith("rule")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)&", line)] for line in lines]
    assert {len(row) for row in cells} == {len(found[1])}, "as many cells as columns"
    return cells


@pytest.mark.parametrize("scores", SCORES)
def test_the_latex_table_is_one_that_compiles(scores: str, tmp_path: Path) -> None:
    latex = table.latex(ablation(scores))
    head, base, *others = parsed(latex)
    assert head == [
        "model",
        "ghost",
        "c2f-1.5",
        "params, M",
        "GFLOPs",
        "ms, ORT",
        "speed",
        "mAP50",
        "mAP50-95",
        r"$\Delta$",
    ]
    assert base[0] == r"my\_base"
    assert others[0][6] == r"1.50$\times$*"
    assert [row[1:3] for row in others] == [[r"$\checkmark$", ""], [r"$\checkmark$", r"$\checkmark$"]]
    starred, bold = ([any(mark in row[at] for row in others) for at in (-1, -2)] for mark in ("*", "textbf"))
    assert (starred[0], bold[1]) == ((True, True) if scores == "clear" else (False, False))
    if shutil.which("pdflatex") is None:
        return
    page = f"\\documentclass{{article}}\\usepackage{{booktabs,amssymb}}\\begin{{document}}\n{latex}\\end{{document}}\n"
    (tmp_path / "page.tex").write_text(page, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "page.tex"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_command_trains_every_seed_times_the_first_and_tells_the_table(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With trainings and timings that take no time."""
    timed: list[str] = []

    def train_all(runs: list[Run], store: Path, *, watch: Any, note: Any, **_: Any) -> list[dict[str, Any]]:
        for i, run in enumerate(runs):
            found = {"val": {"map": i / 10, "map50": i / 10 + 0.2}, "seed": run.seed, "folder": str(run.folder(store))}
            run.folder(store).mkdir(parents=True, exist_ok=True)
            (run.folder(store) / "result.json").write_text(json.dumps(found))
            watch(run, "epoch 1/2")
            watch(run, "done")
            note(f"{i + 1} done")
        return [result(run.folder(store)) for run in runs]

    def compare(models: list[str], settings: Any) -> list[dict[str, Any]]:
        timed.extend(models)
        assert settings.imgsz == 64
        return [TIME for _ in models]

    monkeypatch.setattr(ablation_module, "train_all", train_all)
    monkeypatch.setattr("yolo_plugins.comparing.comparison.compare", compare)
    monkeypatch.chdir(tmp_path)
    command = ["ablate", "yolov8n.yaml", "--add", "ghost", "head=22=plugins.LiteDetect", "imgsz=64", f"data={shapes}"]
    assert cli.main([*command, "--seeds", "2", "-o", "out"]) == 0
    said = capsys.readouterr()
    assert [line.split(" ", 1)[1] for line in said.err.splitlines()] == [
        "3 models with 2 seeds, 6 trainings, 0 of them done before",
        *(f"{i} done" for i in range(1, 7)),
        "trained",
    ], "one line a training where there is no terminal"
    assert [one.split("=")[0] for one in timed] == ["yolov8n", "yolov8n-ghost", "yolov8n-ghost+head"]
    assert all(re.search(r"-s0-\w+/train/weights/", one) for one in timed)
    assert "+ ghost + head    ✓     ✓" in said.out
    assert "written into out: report.md, table.tex, results.csv, results.json" in said.out
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {"models", "runs", "report.md", "table.tex", "results.csv", "results.json"}
    assert "change head: 22=plugins.LiteDetect" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    kept = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))["rows"]
    changes = ["ghost", "head=22=plugins.LiteDetect"]
    in_python = {"data": str(shapes), "train": {"imgsz": 64}, "seeds": 2, "output": "again"}
    assert yp.ablate("yolov8n.yaml", changes, **in_python) == kept


TRAIN = ("epochs=1", "imgsz=32", "batch=4", "workers=0", "device=cpu", "amp=False")


@pytest.mark.slow
def test_a_killed_ablation_goes_on_and_ends_in_its_tables(shapes: Path, tmp_path: Path) -> None:
    """Killed, not interrupted, when one training is done and another under way; then the same command twice."""
    changes = ["ghost=--stage GhostBottleneck", "se=--gate SE"]
    command = [sys.executable, "-m", "yolo_plugins.cli", "ablate", "yolov8n.yaml", f"data={shapes}", "--add", *changes]
    command += [*TRAIN, "--seeds", "2", "--rounds", "7", "-o", "out"]
    store = tmp_path / "out" / "runs"
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        while len(list(store.glob("*/run.json"))) < 2:
            assert process.poll() is None
            time.sleep(0.1)
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive, "a training outlives the command"
    (first,) = store.glob("*/result.json")
    written = first.stat().st_mtime_ns
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "3 models with 2 seeds, 6 trainings, 1 of them done before" in done.stderr
    assert "5 of 5: " in done.stderr
    assert first.stat().st_mtime_ns == written
    assert "+ ghost + se    ✓    ✓" in done.stdout
    head, *cells = parsed((tmp_path / "out" / "table.tex").read_text(encoding="utf-8"))
    assert head[5].startswith("ms, ")
    assert all(float(row[5]) > 0 for row in cells)
    kept: dict[str, Any] = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert [row["seeds"] for row in kept["rows"]] == [2, 2, 2]
    assert kept["rows"][1]["params"] < kept["rows"][0]["params"]
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "6 of them done before" in again.stderr
    assert "exporting" not in again.stderr
    assert json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))["rows"] == kept["rows"]
