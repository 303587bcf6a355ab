"""The ways of the duel: what each of them trains, and what makes it as fast as the light model."""

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from accuracy_series import MODELS, SGD, SIXTY
from duel_table import UNTRAINED
from pruning import pruned
from yolo_plugins import Schedule
from yolo_plugins.comparing import timed
from yolo_plugins.files import read_yaml, write_text
from yolo_plugins.models.building import load, save
from yolo_plugins.searching.networks import deployed, image, network
from yolo_plugins.training.data_yaml import split_images
from yolo_plugins.training.runs import validate
from yolo_plugins.training.series import Run, train_all
from yolo_plugins.transplanting.checkpoint import Light, transplant_checkpoint
from yolo_plugins.transplanting.whole_way import TUNING

PLAIN = {key: SIXTY[key] for key in ("batch", "amp", "workers", "plots")}
WAYS = {
    "a": "transplanted",
    "b": "pruned",
    "c": "from scratch",
    "d": "from scratch, the teacher beside it",
    "e": "the teacher's weights by name",
    "f": "transplanted, the teacher beside it",
    "g": "the teacher at a smaller size",
}
RATIOS = [round(0.05 * step, 2) for step in range(19)]
"""Shares of channels that are pruned, one of them."""


@dataclass
class Duel:
    """One seed of it: where things lie, and what the teacher is."""

    args: argparse.Namespace
    data: str
    known: str
    seed: int

    def __post_init__(self) -> None:
        self.folder = self.args.store / "duel"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.light = f"yolov8n-{self.args.light}.yaml"
        order = {**SIXTY, **SGD, "epochs": self.args.teacher_epochs}
        self.taught = self.trained([self.run("yolov8n with SGD", MODELS["yolov8n"], order)])[0]
        self.teacher = Path(self.taught["folder"], "train", "weights", "best.pt")
        self.key = hashlib.sha256(self.teacher.read_bytes()).hexdigest()[:8]

    def run(self, label: str, model: str, arguments: dict[str, Any], **more: Any) -> Run:
        place = {"device": self.args.device, "cache": "ram"}
        return Run(
            label, model, self.data, self.seed, {"imgsz": self.args.imgsz, **arguments, **place}, self.known, **more
        )

    def trained(self, runs: Sequence[Run]) -> list[dict[str, Any]]:
        options = {"jobs": self.args.jobs, "threads": self.args.threads}
        return train_all(runs, self.args.store, **options, note=lambda text: print(text, flush=True))

    def transplanted(self) -> tuple[Path, float]:
        """The light model without any label, and the minutes that it took."""
        steps = {name: value for name in ("block_steps", "joint_steps") if (value := getattr(self.args, name))}
        schedule = Schedule(seed=self.seed, **steps)
        made = hashlib.sha256(repr(schedule).encode()).hexdigest()[:8]
        file = self.folder / f"transplanted-{self.args.light}-{self.key}-{made}.pt"
        record = file.with_suffix(".json")
        if not record.is_file():
            device = f"cuda:{self.args.device}" if self.args.device.isdigit() else self.args.device
            begin, images = time.time(), split_images(read_yaml(Path(self.data)), Path(self.data), "train")
            transplant_checkpoint(
                self.teacher, images, file, Light(self.args.light),
                imgsz=self.args.imgsz, vertical_flips=self.args.vertical_flips, device=device, schedule=schedule,
            )  # fmt: skip
            write_text(record, json.dumps({"minutes": (time.time() - begin) / 60}))
        return file, json.loads(record.read_text(encoding="utf-8"))["minutes"]

    def choices(self) -> dict[str, Any]:
        """How much is pruned and how small images are to be as fast as the light model; and milliseconds, median.

        Chosen once for all seeds, since speed hangs on shapes alone; `--times` measures anew what was chosen.
        """
        args = self.args
        name = f"choices-{args.light}-{args.runtime}-{args.imgsz}-{args.timing_threads}.json"
        file = self.folder / name
        known = file.is_file()
        found = json.loads(file.read_text(encoding="utf-8")) if known else self.chosen()
        if not known or args.times:
            found["ms"] = self.milliseconds(found)
            write_text(file, json.dumps(found, indent=1) + "\n")
            args.times = False  # once for all seeds
        return found

    def chosen(self) -> dict[str, Any]:
        """The largest share of channels and size of images that are no slower than the light model."""
        teacher, light = load(self.teacher)[0], network(self.light)

        def fits(candidate: Any, imgsz: int) -> bool:
            ms = self.timed({"light": (light, self.args.imgsz), "candidate": (candidate, imgsz)})
            return ms["candidate"] <= ms["light"]

        return {
            "ratio": first(RATIOS, lambda ratio: fits(pruned(teacher, ratio), self.args.imgsz)),
            "imgsz": first(list(range(self.args.imgsz, 31, -32)), lambda size: fits(teacher, size)),
        }

    def milliseconds(self, chosen: dict[str, Any]) -> dict[str, float]:
        """Of teacher, light model, and what was chosen for ways b and g, round by round."""
        teacher, imgsz = load(self.teacher)[0], self.args.imgsz
        ends = {"teacher": (teacher, imgsz), "light": (network(self.light), imgsz)}
        return self.timed({**ends, "b": (pruned(teacher, chosen["ratio"]), imgsz), "g": (teacher, chosen["imgsz"])})

    def timed(self, nets: dict[str, tuple[Any, int]]) -> dict[str, float]:
        """The median of each network at its size of images."""
        args = self.args
        bench = {n: (deployed(net, args.runtime, size), [image(net, size)]) for n, (net, size) in nets.items()}
        return {n: median(ms) for n, ms in timed(bench, args.runtime, args.timing_threads, args.rounds).items()}

    def ways(self, wanted: Sequence[str]) -> list[dict[str, Any]]:
        """What each way came to: a result of its run, with `way`, `minutes`, `ms` and the epochs of labels in all."""
        args, choices = self.args, self.choices()
        start, minutes = self.transplanted()
        light = str(Path(self.light))
        tuned, fresh = {**PLAIN, **TUNING, "epochs": args.epochs}, {**SIXTY, **SGD, "epochs": args.epochs}
        beside = {"distill_model": str(self.teacher)}
        runs = {
            "a": lambda way: self.run(way, str(start), tuned),
            "b": lambda way: self.run(way, str(self.pruned(choices["ratio"])), tuned, as_it_is=True),
            "c": lambda way: self.run(way, light, fresh),
            "d": lambda way: self.run(way, light, {**fresh, **beside}),
            "e": lambda way: self.run(way, light, {**fresh, "pretrained": str(self.teacher)}),
            "f": lambda way: self.run(way, str(start), {**tuned, **beside}),
            "g": lambda way: self.run(way, str(self.teacher), {**tuned, "imgsz": choices["imgsz"]}),
        }
        found = [{"way": "teacher", **self.taught, "ms": choices["ms"]["teacher"], "labels": str(args.teacher_epochs)}]
        found.append(self.untrained(start, minutes, choices["ms"]["light"]))
        for way, result in zip(wanted, self.trained([runs[way](way) for way in wanted]), strict=True):
            before = "" if way == "c" else f"{args.teacher_epochs} + "
            labels = {"labels": f"{before}{args.epochs}", "ms": choices["ms"].get(way, choices["ms"]["light"])}
            spent = result["seconds"] / 60 + (minutes if way in "af" else 0)
            found.append({"way": f"{way}: {WAYS[way]}", **result, **labels, "minutes": spent})
        return [{"minutes": self.taught["seconds"] / 60, **row, "seed": self.seed} for row in found]

    def untrained(self, file: Path, minutes: float, ms: float) -> dict[str, Any]:
        """The transplanted model before any epoch, measured once."""
        record = file.with_suffix(".scores.json")
        if not record.is_file():
            seen = {
                "imgsz": self.args.imgsz,
                "workers": 0,
                "device": self.args.device,
                "project": str(self.folder / "val"),
            }
            scores = {split: validate(file, self.data, split=split, **seen) for split in ("val", "test")}
            write_text(record, json.dumps(scores))
        scores = json.loads(record.read_text(encoding="utf-8"))
        title = {"way": UNTRAINED, "labels": f"{self.args.teacher_epochs} + 0"}
        return {**title, **scores, "minutes": minutes, "ms": ms}

    def pruned(self, ratio: float) -> Path:
        """The teacher without this share of its channels."""
        file = self.folder / f"pruned-{round(100 * ratio)}-{self.key}.pt"
        if not file.is_file():
            teacher, arguments = load(self.teacher)
            save(pruned(teacher, ratio), file, arguments)
        return file


def first(candidates: Sequence[Any], fits: Callable[[Any], bool]) -> Any:
    """The first that fits, where all after it fit too, by halving; the last, where none does."""
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(candidates[middle]) else (middle + 1, high)
    return candidates[low]
