"""A process that loads one model and answers requests: a line of JSON in, a line of JSON out, until its input ends.

The first import of Ultralytics or torch is left to the request that needs it: before it, the process holds only the
runtime that it measures.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from .runtimes import LOADERS, Array, Network, import_mnn, ordered


def _ultralytics(source: str, task: str | None = None) -> Any:
    import patch_ultralytics

    patch_ultralytics.apply()
    from ultralytics import YOLO

    return YOLO(source, task=task)


class Session:
    """One model in one format: its network alone, and Ultralytics' steps around it."""

    def __init__(self) -> None:
        self._format = self._task = ""
        self._path = Path()
        self._options: dict[str, Any] = {}
        self._network: Network | None = None
        self._yolo: Any = None
        self._inputs: list[Array] = []
        self._photos: list[Array] = []

    # Requests, each by its method's name.

    def prepare(self, source: str, weights: str, reference: str, imgsz: int, images: list[str], conf: float) -> Any:
        """Load a candidate, count it, save its weights, and keep what torch makes of the images."""
        import torch

        torch.manual_seed(0)
        yolo = _ultralytics(source)
        network = yolo.model
        stride = int(max(network.stride))
        facts = {
            "task": yolo.task,
            "nc": len(yolo.names),
            "stride": stride,
            "params": sum(p.numel() for p in network.parameters()),
            "end2end": bool(getattr(network.model[-1], "end2end", False)),
        }
        if imgsz % stride:
            return facts
        facts["gflops"] = _gflops(network, imgsz)
        if not source.endswith(".pt"):
            _settle(network, _photos(images), imgsz)
        yolo.save(weights)
        self._options = {"imgsz": imgsz, "conf": conf}
        self._path, self._task = Path(weights), yolo.task
        self._start_ultralytics(images)
        inputs = [self._prepared(photo) for photo in self._photos]
        outputs = [self._reference_network(x) for x in inputs]
        arrays = {f"output{i}_{j}": y for i, ys in enumerate(outputs) for j, y in enumerate(ys)}
        _keep(reference, arrays | {f"input{i}": x for i, x in enumerate(inputs)})
        results = self._results()
        facts["boxes"] = [_final(result) for result in results]
        facts["outlines"] = [_outlines(result) for result in results]
        facts["names"] = list(yolo.names.values())
        return facts

    def export(self, weights: str, form: str, imgsz: int) -> Any:
        """Export weights beside themselves."""
        if form == "mnn":
            import_mnn()
        start = time.perf_counter()
        path = _ultralytics(weights).export(format=form, imgsz=imgsz, device="cpu")
        return {"path": str(Path(path).name), "seconds": time.perf_counter() - start}

    def load(self, path: str, form: str, task: str, threads: int, imgsz: int, conf: float, images: list[str]) -> Any:
        """Load an exported file into its runtime."""
        self._path, self._format, self._task = Path(path), form, task
        self._options = {"imgsz": imgsz, "conf": conf}
        if form == "dnn":
            self._options["dnn"] = True
        if form in LOADERS:
            self._network = LOADERS[form](self._path, threads)
        else:
            import torch

            torch.set_num_threads(threads)
            self._start_ultralytics(images)
        return {}

    def outputs(self, reference: str, save: str) -> Any:
        """Run the reference inputs, keep the outputs, and tell the size that the process reached."""
        with np.load(reference) as arrays:
            self._inputs = [arrays[f"input{i}"] for i in range(sum(name.startswith("input") for name in arrays))]
        results = [self._run(x) for x in self._inputs]
        _keep(save, {f"output{i}_{j}": y for i, ys in enumerate(results) for j, y in enumerate(ys)})
        return {"memory": peak_memory()}

    def boxes(self, images: list[str]) -> Any:
        """Final boxes of the images, or the classes' scores for classification."""
        self._start_ultralytics(images)
        return {"boxes": [_final(result) for result in self._results()]}

    def validate(self, data: str, project: str) -> Any:
        """Accuracy of this file by Ultralytics' val."""
        yolo = _ultralytics(str(self._path), self._task)
        options = {key: value for key, value in self._options.items() if key != "conf"}
        metrics = yolo.val(
            data=data, batch=1, plots=False, rect=False, workers=0, project=project, device="cpu", **options
        )
        if self._task == "classify":
            return {"map": float(metrics.top1), "map50": float(metrics.top5)}
        part = metrics.seg if self._task == "segment" else metrics.box
        found = {"map": float(part.map), "map50": float(part.map50)}
        if self._task == "segment":
            found["box_map"] = float(metrics.box.map)
        return found

    def time(self, number: int, images: list[str]) -> Any:
        """Milliseconds of one image: the network alone, then with Ultralytics' steps before and after it."""
        self._start_ultralytics(images)
        i = number % len(self._photos)
        x = self._prepared(self._photos[i])
        start = time.perf_counter()
        self._run(x)
        alone = time.perf_counter() - start
        start = time.perf_counter()
        self._end_to_end(self._photos[i])
        return {"network": 1000 * alone, "ms": 1000 * (time.perf_counter() - start)}

    def train(
        self, source: str, data: str, seed: int, project: str, name: str, imgsz: int, arguments: dict[str, Any]
    ) -> Any:
        """Train a model; the weights of its best epoch, and their accuracy."""
        yolo = _ultralytics(source)
        options = {"plots": False, **arguments}
        yolo.train(data=data, seed=seed, project=project, name=name, exist_ok=True, **options)
        self._path = yolo.trainer.best if yolo.trainer.best.exists() else yolo.trainer.last
        self._task, self._options = yolo.task, {"imgsz": imgsz}
        return {"weights": str(self._path), **self.validate(data, project)}

    # The steps behind them.

    def _start_ultralytics(self, images: list[str]) -> None:
        """Let Ultralytics set its predictor up on the first image, once."""
        if self._yolo is None:
            self._photos = _photos(images)
            self._yolo = _ultralytics(str(self._path), self._task)
            self._predict(self._photos[0])

    def _predict(self, photo: Array) -> Any:
        return self._yolo.predict(photo, rect=False, verbose=False, save=False, device="cpu", **self._options)[0]

    def _results(self) -> list[Any]:
        return [self._end_to_end(photo) for photo in self._photos]

    def _prepared(self, photo: Array) -> Array:
        return np.ascontiguousarray(self._yolo.predictor.preprocess([photo]).numpy())

    def _run(self, x: Array) -> list[Array]:
        if self._network is not None:
            return ordered(self._network(x))
        return self._reference_network(x)

    def _reference_network(self, x: Array) -> list[Array]:
        """Ultralytics' backend, its outputs in the order of exported files."""
        import torch

        with torch.inference_mode():
            y = self._yolo.predictor.model(torch.from_numpy(x))
        first, rest = (y[0], y[1:]) if isinstance(y, (tuple, list)) else (y, ())
        tensors = list(first) if isinstance(first, (tuple, list)) else [first]
        if self._task == "segment" and len(tensors) == 1:
            prototypes = rest[0]
            tensors.append(prototypes[-1] if isinstance(prototypes, (tuple, list)) else prototypes)
        return [np.array(tensor.cpu().numpy()) for tensor in tensors]

    def _end_to_end(self, photo: Array) -> Any:
        """Ultralytics' steps before and after this runtime's network, as its predict does."""
        import torch

        predictor = self._yolo.predictor
        with torch.inference_mode():
            x = predictor.preprocess([photo])
            if self._network is None:
                y = predictor.model(x)
            else:
                outputs = [torch.from_numpy(np.array(part)) for part in ordered(self._network(x.numpy()))]
                y = outputs if len(outputs) > 1 else outputs[0]
            return predictor.postprocess(y, x, [photo])[0]


def _final(result: Any) -> list[Any]:
    part = result.probs if result.boxes is None else result.boxes
    return list(part.data.cpu().numpy().tolist())


def _outlines(result: Any) -> list[list[list[int]]]:
    """The masks' outlines in whole pixels; none without masks."""
    return [] if result.masks is None else [points.round().astype(int).tolist() for points in result.masks.xy]


def _keep(path: str, arrays: dict[str, Array]) -> None:
    with open(path, "wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _photos(images: list[str]) -> list[Array]:
    import cv2

    photos = [cv2.imread(path) for path in images]
    if any(photo is None for photo in photos):
        broken = next(path for path, photo in zip(images, photos, strict=True) if photo is None)
        raise ValueError(f"{broken} cannot be read as an image")
    return [np.asarray(photo) for photo in photos]


def _gflops(network: Any, imgsz: int) -> float:
    """2 × multiply-adds of one image, before fusing, as Ultralytics counts."""
    from copy import deepcopy

    import thop
    import torch

    image = torch.zeros(1, network.yaml.get("channels", network.yaml.get("ch", 3)), imgsz, imgsz)
    return float(thop.profile(deepcopy(network).eval(), inputs=[image], verbose=False)[0] * 2 / 1e9)


def _settle(network: Any, photos: list[Array], imgsz: int) -> None:
    """Let a network without weights take its batch norms' statistics from the images."""
    import cv2
    import torch

    from ..norm_statistics import measured_norms

    batch = np.stack([cv2.resize(photo, (imgsz, imgsz)) for photo in photos])
    x = torch.from_numpy(batch[..., ::-1].copy()).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad(), measured_norms(network):
        network(torch.cat([x, x.flip(3)]))


def peak_memory() -> float:
    """Largest resident size of this process so far, in megabytes (10⁶ bytes)."""
    try:
        # Not ru_maxrss: Linux lets a process inherit its parent's there.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    import psutil

    memory = psutil.Process().memory_info()
    return float(getattr(memory, "peak_wset", memory.rss)) / 1e6


def main() -> None:
    """Answer requests until the input ends; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    session = Session()
    for line in sys.stdin:
        arguments = json.loads(line)
        request = arguments.pop("request")
        try:
            answer = {"result": getattr(session, request)(**arguments)}
        except Exception as error:
            import traceback

            traceback.print_exc()
            lines = [text.strip() for text in str(error).splitlines() if text.strip()]
            kind = (
                ""
                if isinstance(error, (AssertionError, ValueError, OSError, RuntimeError))
                else f"{type(error).__name__}: "
            )
            answer = {"error": kind + (lines[0] if lines else type(error).__name__)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
