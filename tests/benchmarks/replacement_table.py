"""What `replace` finds and saves in models of torchvision, timm and Ultralytics, and what holds after it, as a table.

Usage: python tests/benchmarks/replacement_table.py [NAME …]

Needs torchvision, timm, onnx and onnxruntime. NAME is a part of the models' names; by default all are tried. After the
swap: outputs have the shapes that they had; a training step moves every parameter of the blocks; a `state_dict` loaded
into a model built and swapped anew gives the same outputs; and the exported ONNX file, run by ONNX Runtime, the same as
torch; the largest difference is shown, in proportion to the largest value of its channel. Of torchvision's detectors it
is that of the better half of the boxes.
"""

import argparse
import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from replacement_cases import Case, cases, tensors
from torch import Tensor, nn
from yolo_plugins import Report, replace
from yolo_plugins.training.norm_statistics import measured_norms

import patch_ultralytics


class Trial:
    """A case's model with its blocks swapped, and what must hold of it.

    `report` is what `replace` said; its multiply-adds are of one image of the case's size.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        torch.manual_seed(0)
        self.images = torch.rand(2, 3, case.size, case.size)
        self.model = case.build()
        self.shapes = self._outputs_shapes()
        self.report = self._swap(self.model)
        self._measure_norms()

    def keeps_shapes(self) -> bool:
        """Outputs have the shapes that they had before the swap."""
        return self._outputs_shapes() == self.shapes

    def trains(self) -> bool:
        """One step of AdamW on the model's loss moves every weight of every block, and all stay finite."""
        blocks = [self.model.get_submodule(name) for name in self.report.names]
        weights = [m.weight for block in blocks for m in block.modules() if isinstance(m, nn.Conv2d)]
        before = [weight.detach().clone() for weight in weights]
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        self.case.loss(self.model.train(), self.images).backward()
        optimizer.step()
        self._measure_norms()
        moved = [w.grad is not None and not w.equal(old) for w, old in zip(weights, before, strict=True)]
        return all(moved) and all(p.isfinite().all() for p in self.model.parameters())

    def is_restored(self) -> bool:
        """The saved `state_dict`, in a model built and swapped anew, gives the same outputs."""
        fresh = self.case.build()
        self._swap(fresh)
        with tempfile.TemporaryFile() as file:
            torch.save(self.model.state_dict(), file)
            file.seek(0)
            fresh.load_state_dict(torch.load(file, weights_only=True))
        pairs = zip(self._outputs(self.model), self._outputs(fresh), strict=True)
        return all(torch.equal(ours, theirs) for ours, theirs in pairs)

    def onnx_difference(self) -> float:
        """The largest difference of ONNX Runtime's outputs from torch's, as `difference` measures it."""
        import onnxruntime

        head = self.model.model[-1] if hasattr(self.model, "yaml") else None
        if head is not None:
            head.export, head.format = True, "onnx"
        given = self._given(self.images[:1])
        with tempfile.TemporaryDirectory(prefix="onnx-") as folder:
            file = Path(folder) / "model.onnx"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the tracer's, of the models' own branches
                torch.onnx.export(self.model.eval(), (given,), file, opset_version=17, dynamo=False)
            session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
            image = (given[0] if self.case.detector else given).numpy()
            found = [torch.from_numpy(a) for a in session.run(None, {session.get_inputs()[0].name: image})]
        with torch.no_grad():
            expected = list(tensors(self.model(given)))
        if self.case.detector:
            return detections_difference(found, expected)
        return max(difference(a, b) for a, b in zip(found, expected, strict=True))

    def _measure_norms(self) -> None:
        """Give batch norms the statistics of the images, as in a trained model.

        With those of other weights, such as from before a training step, maps leave their range by hundreds of standard
        deviations, and rounding grows with them.
        """
        with measured_norms(self.model):
            self.case.loss(self.model.train(), self.images)

    def _swap(self, model: nn.Module) -> Report:
        return replace(model, self.case.block, inputs=self._given(self.images[:1]), **self.case.options)

    def _given(self, images: Tensor) -> Any:
        return list(images) if self.case.detector else images

    def _outputs(self, model: Any) -> list[Tensor]:
        with torch.no_grad():
            return list(tensors(model.eval()(self._given(self.images))))

    def _outputs_shapes(self) -> list[torch.Size]:
        return [t.shape for t in self._outputs(self.model)]


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference in proportion to the largest value of its channel, or of its column in a table of boxes.

    Scores are small beside coordinates, so each has its own measure; below 0.001 they are noise. Other shapes differ
    infinitely.
    """
    if found.shape != expected.shape:
        return float("inf")
    shape = expected.shape
    channels = 1 if len(shape) > 3 else min(range(len(shape))[-2:], key=lambda d: shape[d])
    found, expected = (t.double().movedim(channels, 0).reshape(shape[channels], -1) for t in (found, expected))
    return float(((found - expected).abs().amax(1) / expected.abs().amax(1).clamp(min=1e-3)).max())


def detections_difference(found: list[Tensor], expected: list[Tensor]) -> float:
    """The largest difference of a found box, its score and label from the nearest one that is expected.

    Boxes go by falling score: where two are alike to within rounding, either may be first, and either the last that is
    let through. So the better half is held against all. Each measure is in proportion to its largest value.
    """
    if [t.shape for t in found] != [t.shape for t in expected]:
        return float("inf")
    largest = [t.double().abs().max() for t in expected]
    ours, theirs = (
        torch.cat([t.double().reshape(len(t), -1) / one for t, one in zip(all_of, largest, strict=True)], 1)
        for all_of in (found, expected)
    )
    return float(torch.cdist(ours[: len(ours) // 2], theirs, p=torch.inf).amin(1).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*", default=[""])
    args = parser.parse_args()
    patch_ultralytics.apply()
    logging.getLogger("ultralytics").setLevel("ERROR")
    print("| model | block | swapped | left | parameters | multiply-adds | shapes | step | state | ONNX |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in cases():
        if any(name in case.name for name in args.names):
            print(_line(case), flush=True)


def _line(case: Case) -> str:
    trial = Trial(case)
    report = trial.report
    assert report.macs is not None
    cells = [case.name, case.block, len(report.swapped), len(report.left)]
    cells += [f"{old / 1e6:.2f} → {new / 1e6:.2f} M" for old, new in (report.params, report.macs)]
    cells += ["same" if trial.keeps_shapes() else "other", "moves" if trial.trains() else "does not"]
    cells += ["same" if trial.is_restored() else "other", f"{trial.onnx_difference():.0e}"]
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
