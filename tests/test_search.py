"""`yolo-plugins search`: the best blocks within a time budget, on timings from a table and for real on tiny images."""

import itertools
import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from conftest import mostly_slow
from yolo_plugins.cli import main
from yolo_plugins.comparing import RUNTIMES, Store, timed
from yolo_plugins.models.building import build, save, yolo
from yolo_plugins.searching import measuring
from yolo_plugins.searching.candidates import STOCK, candidates, edits_of
from yolo_plugins.searching.finding import HELD_OUT, Worth, calibration_models, find
from yolo_plugins.searching.networks import deployed, image, inputs_of_rows, network, row_alone
from yolo_plugins.searching.picking import Option, Table, TooSlowError, pick
from yolo_plugins.searching.predicting import Choice, errors, fitted, uncorrected
from yolo_plugins.searching.progress import Line
from yolo_plugins.searching.settings import Settings
from yolo_plugins.searching.worths import guessed, taught

NAMES = (STOCK, "a", "b", "c")
ROWS = 6


def options(seed: int) -> Table:
    draw = random.Random(seed)
    return {
        i: [Option(str(k), draw.randrange(1, 400) / 100, draw.random()) for k in range(draw.randrange(1, 5))]
        for i in range(5)
    }


@pytest.mark.parametrize("seed", range(5))
def test_no_other_choice_within_the_budget_is_worth_more(seed: int) -> None:
    table = options(seed)
    every = list(itertools.product(*table.values()))
    budget = sorted(sum(o.ms for o in choice) for choice in every)[len(every) // 2] + 1e-9
    best = max(sum(o.worth for o in choice) for choice in every if sum(o.ms for o in choice) <= budget)
    chosen = pick(table, budget)
    assert list(chosen) == list(table)
    assert sum(o.ms for o in chosen.values()) <= budget
    assert sum(o.worth for o in chosen.values()) == pytest.approx(best)


def test_a_budget_below_the_fastest_blocks_is_refused_with_both_times() -> None:
    table = {0: [Option("a", 2.0, 1.0), Option("b", 1.5, 0.5)], 1: [Option("a", 1.0, 1.0)]}
    with pytest.raises(TooSlowError, match=r"2\.50 ms, more than the budget of 2\.00 ms"):
        pick(table, 2.0)
    with pytest.raises(TooSlowError, match=r"3\.50 ms"):
        pick(table, 3.0, rest=1.0)


class FakeMachine:
    """Rows that take other times inside a model than alone: an overhead, another slope for each block, and noise."""

    def __init__(self, seed: int, noise: float = 0.0, spread: float = 0.05) -> None:
        self.draw, self.noise = random.Random(seed), noise
        self.alone = {(i, name): self.draw.uniform(0.2, 4) for i in range(ROWS) for name in NAMES}
        slopes = dict(zip(NAMES, (1.0, 1.6, 0.7, 1.2), strict=True))
        self.inside = {
            (i, n): ms * slopes[n] * self.draw.uniform(1 - spread, 1 + spread) for (i, n), ms in self.alone.items()
        }
        self.worth = {i: {name: 1.0 if name == STOCK else self.draw.random() for name in NAMES} for i in range(ROWS)}
        self.measured = 0

    def true(self, choice: Choice) -> float:
        return 5.0 + sum(self.inside[option] for option in choice.items())

    def of(self, choice: Choice) -> float:
        return sum(self.worth[i][name] for i, name in choice.items())

    def calibration(self, models: Sequence[Choice]) -> tuple[Mapping[tuple[int, str], float], dict[int, float]]:
        return self.alone, {number: self.model(model) for number, model in enumerate(models)}

    def model(self, choice: Choice) -> float:
        self.measured += 1
        return self.true(choice) * self.draw.uniform(1 - self.noise, 1 + self.noise)


def every_choice(worth: Worth) -> list[Choice]:
    return [dict(zip(worth, names, strict=True)) for names in itertools.product(*worth.values())]


@pytest.mark.parametrize(("spread", "share"), [(0.0, 1.0), (0.05, 0.98)], ids=["by block", "by block and row"])
@pytest.mark.parametrize("seed", range(4))
def test_the_search_finds_the_best_of_all_models_on_a_table_of_times(seed: int, spread: float, share: float) -> None:
    """A handful of 4096 is measured; where blocks are off by their own factors alone, the best is found exactly."""
    machine = FakeMachine(seed, spread=spread)
    choices = every_choice(machine.worth)
    budget = sorted(map(machine.true, choices))[len(choices) // 5]
    best = max(machine.of(choice) for choice in choices if machine.true(choice) <= budget)
    found = find(machine.worth, machine, lambda stock: budget)
    assert found.measured == machine.true(found.choice) <= budget
    assert machine.of(found.choice) >= share * best - 1e-9
    assert machine.measured <= len(calibration_models(machine.worth)) + 6


def test_the_same_times_give_the_same_model() -> None:
    one, other = (find((m := FakeMachine(7)).worth, m, lambda stock: 0.6 * stock) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("seed", range(4))
def test_times_of_models_held_out_are_predicted_where_rows_alone_mislead(seed: int) -> None:
    machine = FakeMachine(seed, noise=0.02)
    models = calibration_models(machine.worth)
    alone, times = machine.calibration(models)
    calibrated, held_out = slice(0, -HELD_OUT), slice(-HELD_OUT, None)
    values = list(times.values())
    prediction = fitted(alone, models[calibrated], values[calibrated])
    found = max(map(abs, errors(prediction, models[held_out], values[held_out])))
    plain = errors(uncorrected(alone, models[0], values[0]), models[held_out], values[held_out])
    assert found < 0.1
    assert found < max(map(abs, plain))


@pytest.mark.parametrize(("noise", "said"), [(0.02, False), (0.6, True)], ids=["quiet machine", "busy machine"])
def test_times_that_scatter_are_said_not_to_be_relied_on(noise: float, said: bool) -> None:
    lines: list[str] = []
    machine = FakeMachine(3, noise=noise)
    find(machine.worth, machine, lambda stock: 2 * stock, lines.append)
    assert any("more than 15%: let the machine do nothing else" in line for line in lines) is said


def test_rows_that_are_as_fast_inside_a_model_as_alone_are_found_exactly() -> None:
    machine = FakeMachine(0)
    machine.inside = machine.alone
    models = calibration_models(machine.worth)
    prediction = fitted(machine.alone, models, [machine.true(model) for model in models])
    assert prediction.rest == pytest.approx(5.0)
    assert prediction.options == pytest.approx(machine.alone)


def test_a_budget_that_nothing_keeps_is_refused_with_the_fastest_found() -> None:
    machine = FakeMachine(1)
    least = min(map(machine.true, every_choice(machine.worth)))
    with pytest.raises(
        TooSlowError, match=r"the fastest found takes \d+\.\d\d ms, more than the budget of 4\.00 ms"
    ) as e:
        find(machine.worth, machine, lambda stock: 4.0)
    assert float(str(e.value).split()[4]) == pytest.approx(least, abs=0.2)


@pytest.mark.parametrize("seed", range(4))
def test_a_choice_that_turns_out_too_slow_gives_way_to_a_faster_one(seed: int) -> None:
    """With few rows the next faster model is far away, and refitting alone would choose the slow one again."""
    machine = FakeMachine(seed, spread=0.0)
    machine.worth = {i: machine.worth[i] for i in range(2)}
    times = sorted(map(machine.true, every_choice(machine.worth)))
    budget = times[len(times) // 2]
    calibration = machine.calibration(calibration_models(machine.worth))
    slow: list[Choice] = []

    def model(choice: Choice) -> float:
        slow.extend([choice] if not slow else [])
        return 1.01 * budget if choice in slow else machine.true(choice)

    found = find(machine.worth, SimpleNamespace(calibration=lambda _: calibration, model=model), lambda stock: budget)
    assert found.choice not in slow
    assert found.measured <= budget


@pytest.mark.parametrize(
    ("block", "row", "stands"),
    [
        ("C2fGhost", 2, "C2fGhost"),
        ("RepGhostStage(cheap_k=3)", 4, "RepGhostStage"),
        ("GhostBottleneck", 6, "C2f"),
        ("SE(r=8)", 8, "C2f"),
        ("DWConv(d=2)", 1, "DWConv"),
        ("LiteDetect", 22, "LiteDetect"),
    ],
)
def test_any_registered_block_is_tried_where_it_can_stand(block: str, row: int, stands: str) -> None:
    base = build("yolov8n.yaml")
    edits = edits_of(base, candidates([block]), "yolov8n.yaml")
    assert edits[block][row].block == stands


FAMILIES = ["yolo11n.yaml", "yolo26n.yaml", "yolov8n-seg.yaml", "yolov8n-ghost.yaml"]


@pytest.mark.parametrize("model", mostly_slow(FAMILIES, FAMILIES[1:3]))
def test_rows_of_every_family_have_candidates(model: str) -> None:
    base = build(model)
    rows = {i for found in edits_of(base, candidates(), model).values() for i in found}
    assert len(rows) >= 3, rows


def test_a_missing_runtime_is_refused_with_the_command_that_gets_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from yolo_plugins.comparing import formats

    monkeypatch.setitem(formats.NEEDS, "ncnn", ("ncnn_that_is_not_there",))
    monkeypatch.chdir(tmp_path)
    assert main(["search", "yolov8n.yaml", "--runtime", "ncnn", "--budget-ms", "9", "-o", "mine.yaml"]) == 1
    assert "ncnn cannot run here: ncnn_that_is_not_there not installed: pip install" in capsys.readouterr().err


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("search")
    program = [sys.executable, "-m", "yolo_plugins.cli", *arguments("mine.yaml", "--faster", "1.1")]
    return folder, subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False)


def arguments(output: str, *budget: str) -> list[str]:
    tiny = ["--imgsz", "64", "--rounds", "3", "--threads", "1", "--cpu-time", "--blocks", "RepGhostStage", "LiteDetect"]
    return ["search", "yolov8n.yaml", *tiny, *budget, "-o", output]


@pytest.mark.slow
def test_the_command_writes_a_model_that_ultralytics_builds_and_tells_how_well_it_was_predicted(searched):
    folder, done = searched
    assert done.returncode == 0, done.stderr
    for part in (
        "processor: ",
        "threads: 1 for every runtime",
        "onnxruntime ",
        "held out",
        "ms expected",
        "exporting ",
    ):
        assert part in done.stderr
    assert "× as fast" in done.stdout
    model = yolo(folder / "mine.yaml")
    assert model.task == "detect"
    stars = sum(line.count("*") for line in done.stdout.splitlines())
    replaced = sum(type(layer).__name__ in ("RepGhostStage", "LiteDetect") for layer in model.model.model)
    assert replaced >= 1
    assert f"{replaced} of {stars} rows replaced" in done.stdout
    assert {path.name for path in folder.iterdir()} == {"mine.yaml", "yolo-plugins-search"}


@pytest.mark.slow
def test_a_second_search_goes_on_from_what_was_measured(searched, monkeypatch, capsys):
    folder, _ = searched
    monkeypatch.chdir(folder)
    store = folder / "yolo-plugins-search" / "measured.jsonl"
    before = store.read_text()
    keys = [json.loads(line)["key"] for line in before.splitlines()]
    assert len(keys) == len(set(keys))
    assert main(arguments("other.yaml", "--budget-ms", "1000")) == 0
    assert "exporting" not in capsys.readouterr().err
    assert store.read_text() == before
    stock, written = (build(name).state_dict() for name in ("yolov8n.yaml", "other.yaml"))
    assert stock.keys() == written.keys(), "all that there is time for is stock"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_the_progress_is_one_line_that_is_redrawn_on_a_terminal_and_a_few_lines_elsewhere() -> None:
    shown = []
    for stream in (Terminal(), StringIO()):
        line = Line(stream)
        for number in range(1, 101):
            line.step("timing", number, 100)
        line.say("found")
        shown.append(stream.getvalue())
    live, plain = shown
    assert live.count("\r\x1b[K") == 101
    assert live.splitlines()[-1].endswith("found")
    assert live.count("\n") == 1
    assert [text.split(",")[0] for text in plain.splitlines()] == ["timing 1/100", "timing 100/100", "found"]


class FakeBench:
    """A runtime that is interrupted in a given round, cannot run some networks, and counts its rounds."""

    rounds, interrupted = 0, 4

    def __init__(self, runtime: str, threads: int, folder: Path, cpu_time: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.names: list[str] = []

    def add(self, name: str, module: object, inputs: object, key: str) -> None:
        if name == "row 2, C2fGhost":
            raise RuntimeError("no such layer")
        self.names.append(name)

    def round(self) -> dict[str, float]:
        FakeBench.rounds += 1
        if FakeBench.rounds == FakeBench.interrupted:
            raise KeyboardInterrupt
        return dict.fromkeys(self.names, float(FakeBench.rounds))

    def __enter__(self) -> "FakeBench":
        return self

    def __exit__(self, *_: object) -> None: ...


def test_an_interrupted_run_goes_on_and_what_a_runtime_cannot_run_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measuring, "Bench", FakeBench)
    monkeypatch.setattr(FakeBench, "rounds", 0)
    monkeypatch.setattr(measuring.Machine, "_deployed", lambda *_: SimpleNamespace(model=[None] * 23))
    base = network("yolov8n.yaml")
    edits = edits_of(base, candidates(["C2fGhost"]), "yolov8n.yaml")
    settings = Settings(faster=2, rounds=5, imgsz=64, folder=tmp_path)

    def run(where: str) -> tuple[Mapping[tuple[int, str], float], Mapping[int, float]]:
        store = Store(tmp_path / "measured.jsonl")
        machine = measuring.Machine(base, edits, settings, store, where, Line())
        return machine.calibration([{2: STOCK, 4: STOCK}, {2: STOCK, 4: "C2fGhost"}])

    with pytest.raises(KeyboardInterrupt):
        run("here")  # two rounds to warm up, one that is kept
    alone, whole = run("here")
    assert FakeBench.rounds == 4 + 2 + 4
    assert alone == {(2, STOCK): 7.0, (4, STOCK): 7.0, (4, "C2fGhost"): 7.0}, "the lower quartile of 3, 7, 8, 9, 10"
    assert whole == {0: 7.0, 1: 7.0}
    assert "row 2, C2fGhost is left out, since onnx cannot run it: no such layer" in capsys.readouterr().err
    assert run("here") == (alone, whole)
    assert FakeBench.rounds == 10, "nothing is measured twice"
    run("on another machine")
    assert FakeBench.rounds == 10 + 2 + 5


def test_a_head_that_cannot_be_taught_alone_is_worth_what_it_would_be_without_images(shapes, tmp_path):
    base, said = build("yolov8n.yaml"), StringIO()
    usual = edits_of(base, candidates(), "yolov8n.yaml")
    edits = {"light head": usual["light head"]}
    worth = taught(base, edits, shapes.parent / "images" / "train", 1, 64, Store(tmp_path / "store"), "key", Line(said))
    assert worth == guessed(base, edits, 64)
    assert "row 22, light head: shares layers between its outputs and is not taught alone" in said.getvalue()


@pytest.mark.slow
def test_a_trained_checkpoint_is_taught_once_and_searched(shapes, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    base = build("yolov8n.yaml")
    base.args = {}
    save(base, tmp_path / "best.pt")
    tiny = [
        "--imgsz",
        "64",
        "--rounds",
        "2",
        "--threads",
        "1",
        "--blocks",
        "RepGhostStage",
        "LiteDetect",
        "--steps",
        "2",
    ]
    asked = ["search", "best.pt", "--images", str(shapes.parent), *tiny, "--faster", "1.2"]
    assert main([*asked, "-o", "one.yaml"]) == 0
    first = capsys.readouterr()
    assert "teaching 1/2" in first.err
    records = map(json.loads, Path("yolo-plugins-search/measured.jsonl").read_text().splitlines())
    taught = [record for record in records if "taught" in record["key"]]
    assert len(taught) == 2
    assert all(0 <= worth <= 1 for record in taught for worth in record["value"].values())
    assert main([*asked, "-o", "two.yaml"]) == 0
    rows = [yaml.safe_load(Path(name).read_text()) for name in ("one.yaml", "two.yaml")]
    assert rows[0] == rows[1], "the same measurements, the same model"
    assert yolo("one.yaml").task == "detect"


@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_rows_of_one_and_of_several_maps_and_whole_models_run_in_every_runtime(runtime: str, tmp_path: Path) -> None:
    pytest.importorskip({"onnx": "onnxruntime", "mnn": "MNN"}.get(runtime, runtime))
    base = network("yolov8n.yaml")
    inputs, ready = inputs_of_rows(base, 64), deployed(base, runtime, 64)
    nets = {str(i): (row_alone(ready, i, inputs[i]), inputs[i]) for i in (0, 2, 22)}
    nets["whole"] = (ready, [image(base, 64)])
    with torch.no_grad():
        times = timed(nets, runtime, 1, 2)
    assert {name: len(values) for name, values in times.items()} == dict.fromkeys(nets, 2)
    assert all(value > 0 for values in times.values() for value in values)
