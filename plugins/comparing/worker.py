"""A process that loads one model and answers one request after another, until its parent hangs up.

The first import of Ultralytics or torch is left to the request that needs it: before it, the process holds only the
runtime that it measures.
"""

from __future__ import annotations

import sys
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from ..training.environment import peak_memory
from .bursts import Bursts
from .pipeline import Pipeline, final, named, read
from .runtimes import LOADERS, exact_openvino, import_mnn, openvino_default

VALIDATION: dict[str, Any] = {"batch": 1, "rect": False, "workers": 0, "device": "cpu"}


class Requests:
    """What may be asked, each by its method's name; answers are dictionaries."""

    _pipeline: Pipeline

    def __init__(self) -> None:
        self._bursts = Bursts()

    def convert(self, source: Path, form: str, shapes: list[list[int]]) -> dict[str, Any]:
        """Make what a runtime loads, beside the traced module that it is made of; its path from there."""
        from .converting import convert

        return {"path": str(convert(source, form, shapes).relative_to(source.parent))}

    def load_burst(self, **arguments: Any) -> dict[str, Any]:
        """See `Bursts.load`."""
        self._bursts.load(**arguments)
        return {}

    def burst(self, **arguments: Any) -> dict[str, Any]:
        """See `Bursts.best`."""
        return self._bursts.best(**arguments)

    def prepare(self, **arguments: Any) -> dict[str, Any]:
        """See `preparing.prepare`."""
        from .preparing import prepare

        return prepare(**arguments)

    def export(self, weights: str, form: str, imgsz: int, bits: int, data: str | None = None) -> dict[str, Any]:
        """Export weights beside themselves, as Ultralytics does it by itself; 8 bits are calibrated on `data`."""
        from ..models.building import yolo
        from ..quantizing import export_arguments

        if form == "mnn":
            import_mnn()
        options = export_arguments(bits) | ({"data": data} if data and takes_data(form) else {})
        return {"path": Path(yolo(weights).export(format=form, imgsz=imgsz, device="cpu", **options)).name}

    def quantize(self, weights: str, form: str, imgsz: int, data: str, trained: bool, vnni: bool) -> dict[str, Any]:
        """Write weights in 8 bits beside themselves; those that were not `trained`, whatever that costs."""
        from ..quantizing import quantize

        limit: dict[str, Any] = {} if trained else {"max_drop": None}
        made = quantize(weights, data, form, imgsz=imgsz, vnni=vnni, progress=print, **limit)
        return {"path": made.file.name, "kept_float": len(made.kept_float)}

    def load(
        self, path: Path, form: str, task: str, threads: int, images: list[str], exact: bool, **options: Any
    ) -> dict[str, Any]:
        """Load an exported file into its runtime: in 32 bits if `exact`, else as the runtime does by default."""
        if form == "dnn":
            options["dnn"] = True
        if form == "openvino" and exact:
            exact_openvino()
        network = LOADERS[form](path, threads, exact) if form in LOADERS else None
        self._pipeline = Pipeline(path, task, images, options, network)
        if network is None:
            import torch

            torch.set_num_threads(threads)
            self._pipeline.prepared(self._pipeline.photos[0])  # which loads it
        return {}

    def outputs(self, reference: Path) -> dict[str, Any]:
        """The raw outputs of the reference inputs, and the size that the process reached."""
        with np.load(reference) as arrays:
            inputs = [arrays[f"input{i}"] for i in range(sum(name.startswith("input") for name in arrays))]
        outputs = named([self._pipeline.run(x) for x in inputs])
        return {"memory": peak_memory(), "outputs": outputs}

    def boxes(self, images: list[str] | None = None, conf: float | None = None) -> dict[str, Any]:
        """Final boxes of the images, or the classes' scores for classification; of others, and down to another
        confidence, where they are given."""
        photos = read(images) if images else self._pipeline.photos
        with self._pipeline.threshold(conf):
            return {"boxes": [final(self._pipeline.end_to_end(photo)) for photo in photos]}

    def default_bits(self, form: str) -> dict[str, Any]:
        """With how many bits a runtime computes a 32-bit file by itself here, and what it calls that."""
        return openvino_default() if form == "openvino" else {"bits": 32, "name": "32 bits"}

    def validate(self, data: str, project: str) -> dict[str, Any]:
        """Accuracy of the loaded file."""
        from ..training import runs

        options = {key: value for key, value in self._pipeline.options.items() if key != "conf"}
        return runs.validate(self._pipeline.path, data, self._pipeline.task, project=project, **VALIDATION, **options)

    def time(self, number: int) -> dict[str, Any]:
        """Milliseconds of one image: the network alone, then with Ultralytics' steps before and after it."""
        photo = self._pipeline.photos[number % len(self._pipeline.photos)]
        x = self._pipeline.prepared(photo)
        start = time.perf_counter()
        self._pipeline.run(x)
        middle = time.perf_counter()
        self._pipeline.end_to_end(photo)
        return {"network": 1000 * (middle - start), "ms": 1000 * (time.perf_counter() - middle)}


def takes_data(form: str) -> bool:
    """Whether Ultralytics' export to a format may be given data; older ones take them for any."""
    from ultralytics.engine.exporter import export_formats

    table = export_formats()
    taken = dict(zip(table["Argument"], table.get("Arguments", []), strict=False))
    return "data" in taken.get(form, ()) or not any("data" in arguments for arguments in taken.values())


def answer(requests: Requests, request: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What a request gives; for one that fails, a line that says why, and whether it was an import."""
    try:
        return dict(getattr(requests, request)(**arguments))
    except Exception as error:
        traceback.print_exc()
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        if not isinstance(error, (AssertionError, ValueError, OSError, RuntimeError)):
            said = f"{type(error).__name__}: {said}"
        return {"error": said, "import": isinstance(error, ImportError)}


def main(handle: int) -> None:
    """Answer the parent at the other end of a pipe; what libraries print goes to the log."""
    requests = Requests()
    with Connection(handle) as parent:
        while True:
            try:
                request, arguments = parent.recv()
            except EOFError:
                return
            parent.send(answer(requests, request, arguments))


if __name__ == "__main__":
    main(int(sys.argv[1]))
